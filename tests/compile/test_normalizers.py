"""Normalizers and positions are traced whole, forward and backward."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from regard.normalizers import LocalGaussian, Sample
from regard.positions import Learned, RoPE, sinusoidal
from tests.contracts.test_normalizers import MEMBERS, Member, mask_of, scores_of

SHAPE = (2, 3, 4, 7)


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
@pytest.mark.parametrize("masked", [False, True])
def test_every_normalizer_is_traced_whole_with_its_gradient(member: Member, masked: bool) -> None:
    normalizer = member.make(2, 3, 4)
    if isinstance(normalizer, LocalGaussian):
        normalizer = LocalGaussian(normalizer.center.float(), normalizer.sigma, normalizer.window)
    scores = scores_of(*SHAPE, dtype=torch.float32).requires_grad_()
    where = mask_of(*SHAPE) if masked else None
    flow = torch.randn(SHAPE)
    # inductor would take minutes for all members, and adds nothing to tracing.
    compiled = torch.compile(normalizer, fullgraph=True, backend="aot_eager")
    weights, expected = compiled(scores, where), normalizer(scores, where)
    torch.testing.assert_close(weights, expected, rtol=0, atol=2e-6)
    if member.differentiable:
        (gradient,) = torch.autograd.grad(weights, scores, flow)
        (expected,) = torch.autograd.grad(expected, scores, flow)
        torch.testing.assert_close(gradient, expected, rtol=0, atol=2e-5)


def test_an_unseeded_sample_is_traced_whole() -> None:
    compiled = torch.compile(Sample(), fullgraph=True, backend="aot_eager")
    weights = compiled(torch.zeros(2, 3, 400, 2))
    assert torch.equal(weights.sum(-1), torch.ones(2, 3, 400))
    assert 0.4 < weights[..., 0].mean() < 0.6


@pytest.mark.parametrize("rope", [RoPE(), RoPE(interleaved=True), RoPE(width=4)], ids=str)
def test_rope_is_traced_whole(rope: RoPE) -> None:
    def turn(x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        return rope(x, positions), rope(x, offset=3)

    x, positions = torch.randn(2, 3, 5, 8), torch.tensor([[0, 0, 1, 2, 3], [0, 1, 2, 3, 4]])
    compiled = torch.compile(turn, fullgraph=True, backend="aot_eager")
    for mine, expected in zip(compiled(x, positions), turn(x, positions), strict=True):
        torch.testing.assert_close(mine, expected)


def test_other_positions_are_traced_whole() -> None:
    learned = Learned(10, 4)

    def encode(positions: Tensor) -> Tensor:
        return learned(5) + learned.at(positions) + sinusoidal(5, 4)

    positions = torch.arange(5)
    compiled: Callable = torch.compile(encode, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(positions), encode(positions))
