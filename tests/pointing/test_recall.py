"""Associative recall: a key is asked for, and the pair that has it must be looked at.

The pairs are drawn anew each time, so nothing but looking answers: by every score that compares two
vectors, and by every normalizer with a gradient. (`ConcatLinear` and `Location` do not compare:
what they give does not depend on which key meets which query. `LocalGaussian` and `Sample` are
tested where sequences are copied and keywords found.)
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.layers import Attend, CrossAttention
from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    Hard,
    LearnedEntmax,
    Softmax,
    TopK,
    divide_by_sum,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
)
from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    LuongConcat,
    NegativeSquaredDistance,
)

KEYS, VALUES, PAIRS, WIDTH = 30, 10, 8, 16


def batch(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs `[count, pairs, 2]` with different keys, the place of the one asked for, its value."""
    keys = torch.rand(count, KEYS).argsort(1)[:, :PAIRS]
    values = torch.randint(VALUES, (count, PAIRS))
    place = torch.randint(PAIRS, (count,))
    return torch.stack([keys, values], dim=-1), place, values[torch.arange(count), place]


class Recalling(nn.Module):
    """The pairs are the memory, the key that is asked for is the query."""

    def __init__(self, attend: Attend) -> None:
        super().__init__()
        self.key, self.value = nn.Embedding(KEYS, WIDTH), nn.Embedding(VALUES, WIDTH)
        self.attention = CrossAttention(WIDTH, 1, attend)
        self.output = nn.Linear(WIDTH, VALUES)

    def sides(self, pairs: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.key(pairs[..., 0])
        asked = keys.gather(1, place[:, None, None].expand(-1, 1, WIDTH))
        return asked, keys + self.value(pairs[..., 1])

    def forward(self, pairs: Tensor, place: Tensor) -> Tensor:
        return self.output(self.attention(*self.sides(pairs, place))).squeeze(1)

    def weights(self, pairs: Tensor, place: Tensor) -> Tensor:
        return self.attention.weights(*self.sides(pairs, place))[:, 0, 0]


SCORES: dict[str, Attend] = {
    "scaled_dot": Attend(),
    "dot": Attend(Dot()),
    "general": Attend(Bilinear(WIDTH, WIDTH)),
    "cosine": Attend(Cosine(temperature=0.1)),
    "additive": Attend(Additive(WIDTH, WIDTH, WIDTH)),
    "luong_concat": Attend(LuongConcat(WIDTH, WIDTH, WIDTH)),
    "concat_tanh_sum": Attend(ConcatTanhSum(WIDTH, WIDTH, WIDTH)),
    "gatv2": Attend(GATv2(WIDTH, WIDTH, WIDTH)),
    "mlp": Attend(MLP(WIDTH, WIDTH, (32,))),
    "squared_distance": Attend(NegativeSquaredDistance()),
    "inverse_distance": Attend(InverseDistance(), normalizer=Softmax(0.05)),
    "feature_map_dot": Attend(FeatureMapDot(), normalizer=divide_by_sum),
}
NORMALIZERS: dict[str, Attend] = {
    "softmax_one": Attend(normalizer=softmax_one),
    "sparsemax": Attend(normalizer=sparsemax),
    "entmax": Attend(normalizer=Entmax(1.5)),
    "learned_entmax": Attend(normalizer=LearnedEntmax(1)),
    "sigmoid": Attend(normalizer=sigmoid),
    "top_k": Attend(normalizer=TopK(4)),
    "hard": Attend(normalizer=Hard(straight_through=True)),
    "gumbel_softmax": Attend(normalizer=GumbelSoftmax(tau=0.5, hard=True)),
}
QUICK = ("scaled_dot", "additive")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in [*SCORES, *NORMALIZERS]
    ],
)
def test_the_pair_that_is_asked_for_is_looked_at(name: str) -> None:
    torch.manual_seed(0)
    model = Recalling((SCORES | NORMALIZERS)[name])
    optimizer = torch.optim.Adam(model.parameters())
    # Linear attention looks at everything a little; to tell one from the rest takes it longer.
    steps = 1000 if name == "feature_map_dot" else 300
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / steps)
        pairs, place, value = batch(64)
        optimizer.zero_grad()
        F.cross_entropy(model(pairs, place), value).backward()
        optimizer.step()
    pairs, place, value = batch(500)
    if name == "gumbel_softmax":
        # What is drawn is drawn anew each time; what it is drawn from is to point.
        model.attention.heads.attend.normalizer = softmax
    assert (model(pairs, place).argmax(1) == value).float().mean() >= 0.95
    assert (model.weights(pairs, place).argmax(1) == place).float().mean() >= 0.95
