"""Which queries see a flagged key: running sums over intervals say what asking every pair says."""

import pytest
import torch

from regard._backends import _reach
from regard._backends._bind import bind
from regard._backends._call import Call
from regard.masks import Block, Causal, Dense, Mask, Padding, Prefix, SlidingWindow
from regard.normalizers import softmax
from regard.scores import ScaledDot
from tests.parts import Sizes, tensors

LENGTHS = torch.tensor([9, 4, 0])
KEEP = torch.tensor([[True, False, True] * 3, [False] * 8 + [True], [True] * 9])
INTERVALS: list[Mask] = [
    Causal(),
    SlidingWindow(2),
    SlidingWindow(0),
    SlidingWindow(0, 3),
    SlidingWindow(1, 2) & Causal(),
    Block(3),
    Block(4) & SlidingWindow(1, 1),
    Padding(LENGTHS),
    Padding(keep=KEEP),
    Causal() & Padding(ignore=~KEEP),
    SlidingWindow(2) & Padding(keep=KEEP) & Block(5),
]


def call(mask: Mask, q_offset: int | torch.Tensor) -> Call:
    inputs = tensors(Sizes(batch=3, q_len=6, k_len=9))
    return bind(*inputs, ScaledDot(), None, mask, softmax, 0.0, q_offset)


@pytest.mark.parametrize("q_offset", [0, 3, -4, 7, 20, torch.tensor([3, -2, 8])], ids=str)
@pytest.mark.parametrize("mask", INTERVALS, ids=str)
def test_intervals_answer_as_pairs_do(mask: Mask, q_offset: int | torch.Tensor) -> None:
    bound = call(mask, q_offset)
    for share in (0.0, 0.15, 0.5, 1.0):
        flagged = torch.rand(3, 4, 9) < share
        found = _reach._by_interval(bound, flagged)
        wanted = _reach._by_pairs(bound, flagged)
        assert found is not None
        for one, other in zip(found[:2], wanted[:2], strict=True):
            assert torch.equal(one.expand_as(other), other)


@pytest.mark.parametrize(
    "mask", [~Causal(), Causal() | Prefix(2), Dense(torch.ones(6, 9, dtype=torch.bool))], ids=str
)
def test_a_mask_that_leaves_no_interval_is_asked_pair_by_pair(mask: Mask) -> None:
    assert _reach._by_interval(call(mask, 3), torch.ones(3, 4, 9, dtype=torch.bool)) is None
