"""Associative recall: a key is asked for, and the pair that has it must be looked at.

The pairs are drawn anew each time, so nothing but looking answers; the same with keys that are
compared by any score.
"""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.layers import Attend, CrossAttention
from regard.scores import Additive, ScaledDot

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


@pytest.mark.parametrize("score", [ScaledDot(), Additive(WIDTH, WIDTH, WIDTH)])
def test_the_pair_that_is_asked_for_is_looked_at(score: Any) -> None:
    torch.manual_seed(0)
    model = Recalling(Attend(score=score))
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 300)
        pairs, place, value = batch(64)
        optimizer.zero_grad()
        F.cross_entropy(model(pairs, place), value).backward()
        optimizer.step()
    pairs, place, value = batch(500)
    assert (model(pairs, place).argmax(1) == value).float().mean() >= 0.95
    assert (model.weights(pairs, place).argmax(1) == place).float().mean() >= 0.95
