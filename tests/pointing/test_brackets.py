"""Nested brackets: to know what a closing bracket closes, the network must look at its opening one.

What the network looks by knows of opening and closing alone; what it sees there is the kind of the
bracket. So the answer is to be had at one place only, which depth and order single out.
"""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.layers import Attend
from regard.masks import Causal

KINDS, PAIRS, DEEPEST = 8, 6, 4
LENGTH = 2 * PAIRS


def nested(rng: random.Random) -> tuple[list[int], list[int]]:
    """For each bracket its kind, or -1 for a closing one, and for each closing one its partner."""
    kinds, partner, waiting = [], [], []
    while len(kinds) < LENGTH:
        left = LENGTH - len(kinds)
        must_close = len(waiting) in (left, DEEPEST)
        if waiting and (must_close or rng.random() < 0.5):
            partner.append(waiting.pop())
            kinds.append(-1)
        else:
            waiting.append(len(kinds))
            partner.append(-1)
            kinds.append(rng.randrange(KINDS))
    return kinds, partner


def batch(rng: random.Random, count: int) -> tuple[Tensor, Tensor]:
    """Kinds and partners of some sequences."""
    kinds, partners = zip(*(nested(rng) for _ in range(count)), strict=True)
    return torch.tensor(kinds), torch.tensor(partners)


class Matching(nn.Module):
    """A recurrent reader of the shape, and one attention from each bracket to those before it."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.shape = nn.Embedding(2, width)
        self.reader = nn.GRU(width, width, batch_first=True)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.kind = nn.Embedding(KINDS + 1, KINDS)
        self.attend = Attend(mask=Causal())

    def heads(self, kinds: Tensor) -> tuple[Tensor, Tensor]:
        states, _ = self.reader(self.shape((kinds < 0).long()))
        return self.query(states).unsqueeze(1), self.key(states).unsqueeze(1)

    def forward(self, kinds: Tensor) -> Tensor:
        return self.attend(*self.heads(kinds), self.kind(kinds + 1).unsqueeze(1)).squeeze(1)

    def weights(self, kinds: Tensor) -> Tensor:
        return self.attend.weights(*self.heads(kinds)).squeeze(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_every_closing_bracket_points_at_the_one_that_it_closes(seed: int) -> None:
    torch.manual_seed(seed)
    rng, model = random.Random(seed), Matching()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        kinds, partner = batch(rng, 64)
        closing = partner >= 0
        wanted = kinds.gather(1, partner.clamp(min=0))[closing]
        optimizer.zero_grad()
        F.cross_entropy(model(kinds)[closing], wanted).backward()
        optimizer.step()
    kinds, partner = batch(rng, 300)
    closing = partner >= 0
    found = model.weights(kinds).argmax(-1)
    assert (found == partner)[closing].float().mean() >= 0.95
    innermost = partner == torch.arange(LENGTH) - 1
    far = closing & ~innermost
    assert far.sum() > 300, "the example must have brackets around others"
    assert (found == partner)[far].float().mean() >= 0.95
