"""Normalizers and positions are recorded whole, forward and backward, for any length and number."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from regard.normalizers import Entmax, GumbelSoftmax, LocalGaussian, Sample, Softmax, TopK
from regard.positions import Learned, RoPE, sinusoidal
from tests.contracts.test_normalizers import MEMBERS, Member, mask_of, scores_of

SHAPE = (2, 3, 4, 7)

# One of each code path: an entmax is hundreds of operations, and takes seconds to record.
SAME = {
    "Entmax(1)",
    "Entmax(1.8)",
    "Entmax(2)",
    "Entmax(2.5)",
    "Entmax(3)",
    "LearnedEntmax",
    "LocalGaussian",
    "TopK(1)",
}
PATHS = {name: member for name, member in MEMBERS.items() if name not in SAME}
every = pytest.mark.parametrize("member", PATHS.values(), ids=PATHS)


def in_float32(normalizer: Callable) -> Callable:
    """The same normalizer with its places in float32."""
    if isinstance(normalizer, LocalGaussian):
        return LocalGaussian(normalizer.center.float(), normalizer.sigma, normalizer.window)
    return normalizer


@every
@pytest.mark.parametrize("masked", [False, True])
def test_every_normalizer_is_traced_whole_with_its_gradient(member: Member, masked: bool) -> None:
    normalizer = in_float32(member.make(2, 3, 4))
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


CENTER = torch.tensor([0.5, 3.0, 2.0, 6.0])

# What is called, and numbers of it: the second value ends the number's being a constant.
CHANGING: dict[str, tuple[Callable, list]] = {
    "Sample": (Sample, [1, 2, 3, 2**40, -5]),
    "Softmax": (Softmax, [0.5, 0.7, 0.9]),
    "Entmax": (Entmax, [1.2, 1.3, 1.4]),
    "Entmax above 2": (Entmax, [2.5, 3.5, 7.0]),
    "TopK": (TopK, [2, 3, 4, 9]),
    "GumbelSoftmax tau": (lambda tau: GumbelSoftmax(tau, seed=4), [0.5, 0.7, 0.9]),
    "GumbelSoftmax seed": (lambda seed: GumbelSoftmax(0.7, seed=seed), [1, 2, 3]),
    "LocalGaussian sigma": (lambda sigma: LocalGaussian(CENTER, sigma), [0.5, 0.7, 0.9]),
    "LocalGaussian window": (lambda window: LocalGaussian(CENTER, 1.5, window), [0.7, 2.0, 3.0]),
}


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("made", ["outside", "inside"])
def test_a_number_may_change_between_calls_of_a_compiled_function(name: str, made: str) -> None:
    make, numbers = CHANGING[name]

    def weigh(scores: Tensor, given: object) -> Tensor:
        return (make(given) if made == "inside" else given)(scores)

    compiled = torch.compile(weigh, fullgraph=True, backend="eager")
    scores = scores_of(*SHAPE, dtype=torch.float32)
    with torch._dynamo.config.patch(recompile_limit=2):
        for number in numbers:
            weights = compiled(scores, number if made == "inside" else make(number))
            torch.testing.assert_close(weights, make(number)(scores), rtol=0, atol=2e-6)


@every
def test_one_graph_serves_every_length(member: Member) -> None:
    normalizer = in_float32(member.make(2, 3, 4))
    compiled = torch.compile(normalizer, fullgraph=True, backend="eager", dynamic=True)
    with torch._dynamo.config.patch(recompile_limit=1):
        for k_len in (5, 64, 7, 99, 700):
            scores, where = scores_of(2, 3, 4, k_len, dtype=torch.float32), mask_of(4, k_len)
            expected = normalizer(scores, where)
            torch.testing.assert_close(compiled(scores, where), expected, rtol=0, atol=2e-6)


class Called(torch.nn.Module):
    """A normalizer as a module, for what takes no functions."""

    def __init__(self, normalizer: Callable) -> None:
        super().__init__()
        self.normalizer = normalizer

    def forward(self, scores: Tensor, where: Tensor) -> Tensor:
        return self.normalizer(scores, where)


@every
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_normalizer_serves_every_length(member: Member, strict: bool) -> None:
    called = Called(in_float32(member.make(2, 3, 4)))
    k_len, q_len = torch.export.Dim("k_len"), torch.export.Dim("q_len")
    if isinstance(called.normalizer, LocalGaussian):
        q_len = None  # it has one center per query
    example = scores_of(*SHAPE, dtype=torch.float32), mask_of(*SHAPE[2:])
    exported = torch.export.export(
        called, example, dynamic_shapes=({2: q_len, 3: k_len}, {0: q_len, 1: k_len}), strict=strict
    ).module()
    for rows, keys in ((6, 3), (2, 50), (5, 12)):
        rows = rows if q_len else 4
        scores = scores_of(2, 3, rows, keys, dtype=torch.float32)
        where = mask_of(rows, keys)
        expected = called(scores, where)
        torch.testing.assert_close(exported(scores, where), expected, rtol=0, atol=2e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
@every
def test_a_normalizer_under_jit_trace_serves_every_number_of_keys(member: Member) -> None:
    called = Called(member.make(2, 3, 4))
    traced = torch.jit.trace(called, (scores_of(*SHAPE), mask_of(*SHAPE)))
    for k_len in (7, 1, 3, 12):
        scores, where = scores_of(*SHAPE[:3], k_len), mask_of(*SHAPE[:3], k_len)
        expected = called(scores, where)
        torch.testing.assert_close(traced(scores, where), expected, rtol=0, atol=1e-12)


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
