"""Caps and everything that is added to scores, in any order, in the loops of `blocked`."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends._held import tensors_of
from regard._kernels.installed import has_loops
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import Softmax, sigmoid, softmax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from tests.backends.test_blocked_between import doubled, second_derivatives
from tests.backends.test_memory import Largest
from tests.parts import Sizes, shown, tensors
from tests.probe import slope
from tests.tolerance import assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SIZES = [
    Sizes(1, 1, 1, 1, 1, 1, 1),
    Sizes(2, 4, 2, 5, 7, 21, 9),
    Sizes(2, 2, 1, 129, 203, 8, 33),
    Sizes(1, 2, 2, 300, 127, 32, 32),
]


def cap(number: float) -> SoftCap:
    """A cap that is learned."""
    return SoftCap(torch.tensor(number))


def table(s: Sizes) -> RelativeBias:
    mod = RelativeBias(s.heads, 16, 60)
    nn.init.normal_(mod.weight)
    return mod


def whole(s: Sizes) -> Bias:
    return Bias(torch.randn(s.q_len, s.k_len))


def dot(s: Sizes, width: int = 5) -> RelativeDot:
    query = torch.randn(s.batch, s.heads, s.q_len, width)
    return RelativeDot(query, torch.randn(1, s.heads, s.q_len + s.k_len, width) / 2, s.k_len)


CHAINS: dict[str, Callable[[Sizes], Any]] = {
    "a cap that learns": lambda s: cap(1.5),
    "one that hardly caps": lambda s: cap(40.0),
    "two caps": lambda s: Chain(SoftCap(3.0), cap(1.5)),
    "a bias between two caps": lambda s: Chain(cap(2.0), table(s), SoftCap(3.0)),
    "a cap between two biases": lambda s: Chain(ALiBi(s.heads), cap(2.0), table(s)),
    "distances and pairs": lambda s: Chain(ALiBi(s.heads), whole(s)),
    "a table and keys": lambda s: Chain(table(s), Bias(torch.randn(s.batch, 1, 1, s.k_len))),
    "two tensors of biases": lambda s: Chain(whole(s), Bias(torch.randn(1, s.heads, s.q_len, 1))),
    "pairs on both sides of a cap": lambda s: Chain(whole(s), cap(2.0), whole(s), ALiBi(s.heads)),
    "products before a cap": lambda s: Chain(dot(s), table(s), cap(3.0), whole(s)),
    "products after a cap": lambda s: Chain(cap(3.0), whole(s), dot(s), ALiBi(s.heads), cap(2.0)),
    "products on both sides of a cap": lambda s: Chain(dot(s), cap(3.0), dot(s, 33)),
    "two products": lambda s: Chain(dot(s), dot(s, 7)),
}
MASKS: dict[str, Callable[[Sizes], Any]] = {
    "none": lambda s: None,
    "causal": lambda s: Causal(),
    "padding": lambda s: Padding(torch.tensor([s.k_len, 0])[: s.batch]),
    "window": lambda s: SlidingWindow(40, 9),
    "documents": lambda s: (
        Document(torch.arange(s.q_len) // 40, torch.arange(s.k_len) // 40) & Causal()
    ),
}
FEW = "a bias between two caps", "pairs on both sides of a cap", "products after a cap"


def found_by(
    backend: str, inputs: Any, mod: Any, dtype: torch.dtype = torch.float32, **parts: Any
) -> dict[str, Tensor]:
    """The output and every gradient, of what the score_mod holds too."""
    leaves = [x.detach().to(dtype).requires_grad_() for x in inputs]
    held = [x.requires_grad_() for x in tensors_of(mod)]
    output = regard.attention(*leaves, score_mod=mod, **parts, backend=backend)
    gradients = torch.autograd.grad(output, [*leaves, *held], slope(output))
    return {"output": output, **{f"gradient {i}": x for i, x in enumerate(gradients)}}


def assert_as_near(found: dict[str, Tensor], inputs: Any, mod: Any, **parts: Any) -> None:
    """Fail unless all are as near the definition in float64 as the rule asks."""
    __tracebackhide__ = True
    golden = found_by("reference", inputs, doubled(mod), torch.float64, **parts)
    naive = found_by("reference", inputs, mod, **parts)
    query, key, _ = inputs
    pairs = math.sqrt(query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2])
    for what, actual in found.items():
        gradient, summed = what != "output", int(what.split()[-1]) > 2 if " " in what else False
        # What is learned sums over pairs, and the errors of so many, which cancel in part.
        least = 4e-7 * pairs if summed else 3e-6 if gradient else 1e-6
        assert_close_to_golden(
            actual, golden[what], naive[what], what=what, gradient=gradient, least=least
        )


@pytest.mark.parametrize("normalizer", [softmax, Softmax(0.7), sigmoid], ids=shown)
@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_output_and_gradients_are_the_definitions(sizes: Sizes, name: str, normalizer: Any) -> None:
    inputs, mod = tensors(sizes, dtype=torch.float32), CHAINS[name](sizes)
    for mask, make in MASKS.items():
        parts = {"mask": make(sizes), "normalizer": normalizer}
        if mask in ("causal", "window"):
            parts["q_offset"] = 3
        assert_as_near(found_by("blocked", inputs, mod, **parts), inputs, mod, **parts)


@pytest.mark.parametrize("name", ["a bias between two caps", "two products"])
def test_gradients_sum_over_sequences_heads_and_pieces(name: str) -> None:
    sizes = Sizes(2, 2, 1, 1100, 90, 8, 8)  # so long that heads are cut into pieces
    inputs, mod = tensors(sizes, dtype=torch.float32), CHAINS[name](sizes)
    for mask in (None, SlidingWindow(60, 30)):
        found = found_by("blocked", inputs, mod, mask=mask)
        assert_as_near(found, inputs, mod, mask=mask)
        assert all(x.abs().max() > 1e-3 for x in found.values())


@pytest.mark.parametrize("name", FEW)
def test_packed_documents_and_halves_are_served(name: str) -> None:
    sizes = Sizes(1, 2, 2, 200, 200, 24, 24)
    ids = torch.arange(200).sqrt().long()
    parts: dict[str, Any] = {"mask": Document(ids, ids) & Causal()}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        inputs, mod = [x.to(dtype) for x in tensors(sizes)], CHAINS[name](sizes)
        found = regard.attention(*inputs, score_mod=mod, **parts, backend="blocked")
        exact, naive = (
            regard.attention(*given, score_mod=own, **parts, backend="reference")
            for given, own in (([x.double() for x in inputs], doubled(mod)), (inputs, mod))
        )
        assert_close_to_golden(found, exact, naive, what="output", least=1e-6)


@pytest.mark.parametrize("name", FEW)
def test_dropped_weights_are_dropped_from_all_gradients(name: str) -> None:
    sizes = Sizes(2, 2, 1, 70, 90, 8, 8)
    inputs, mod, p = tensors(sizes, dtype=torch.float32), CHAINS[name](sizes), 0.3
    given: dict[str, Any] = {"score_mod": mod, "mask": Causal(), "backend": "blocked"}
    leaves = [x.requires_grad_() for x in (*inputs, *tensors_of(mod))]

    def again() -> Tensor:
        torch.manual_seed(3)
        return regard.attention(*inputs, **given, dropout=p)

    # Of the values identity, so that the output has the weights that were kept.
    query, key, _ = inputs
    torch.manual_seed(3)
    pairs = torch.eye(90).expand(2, 1, 90, 90)
    kept = regard.attention(query, key, pairs, **given, dropout=p).detach()
    dropped = kept / regard.attention(query, key, pairs, **given).clamp(min=1e-30)
    weights = regard.attention_weights(query, key, score_mod=mod, mask=Causal())
    wanted = (weights * dropped.detach()) @ inputs[2].repeat_interleave(2, 1)
    for one, other in zip(
        (again(), *torch.autograd.grad(again().sin().sum(), leaves)),
        (wanted, *torch.autograd.grad(wanted.sin().sum(), leaves)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FEW)
def test_second_derivatives_are_the_definitions(name: str) -> None:
    sizes = Sizes(2, 2, 2, 9, 6, 3, 3)
    inputs, mod = [torch.randn(2, 2, n, 3) for n in (9, 6, 6)], CHAINS[name](sizes)
    for one, other in zip(*second_derivatives(inputs, mod), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FEW)
def test_a_row_that_sees_nothing_gives_zeros_whatever_comes_to_it(name: str) -> None:
    sizes = Sizes(2, 2, 2, 9, 6, 4, 4)
    inputs = [x.requires_grad_() for x in tensors(sizes, dtype=torch.float32)]
    mod = CHAINS[name](sizes)
    held = [x.requires_grad_() for x in tensors_of(mod)]
    mask = Padding(torch.tensor([6, 0]))
    output = regard.attention(*inputs, score_mod=mod, mask=mask, backend="blocked")
    assert output[1].eq(0).all() and output[0].ne(0).all()
    upstream = torch.ones_like(output)
    upstream[1] = math.nan
    found = torch.autograd.grad(output, [*inputs, *held], upstream)
    assert all(x.isfinite().all() for x in found)
    assert all(x[1].eq(0).all() for x in found[:3])


@pytest.mark.parametrize("name", FEW)
def test_nothing_of_our_own_has_the_size_of_all_pairs(name: str) -> None:
    sizes = Sizes(1, 2, 2, 900, 900, 16, 16)
    inputs, mod = tensors(sizes, dtype=torch.float32), CHAINS[name](sizes)
    for x in (*inputs, *tensors_of(mod)):
        x.requires_grad_(tuple(x.shape) != (900, 900))  # whose gradient is as large as it is
    with Largest(*tensors_of(mod)) as seen:
        output = regard.attention(*inputs, score_mod=mod, mask=Causal(), backend="blocked")
        output.sum().backward()
    assert seen.elements < 900 * 900 / 2


def test_a_row_whose_scores_are_all_the_lowest_number_is_the_mean() -> None:
    # What other libraries add where a mask forbids a pair, for a query that is padding.
    lowest, inputs = torch.finfo(torch.float32).min, [torch.randn(1, 1, 70, 8) for _ in range(3)]
    bias = torch.zeros(70, 70)
    bias[3], bias[5, :69], bias[66] = lowest, lowest, -1e38
    for mod in (Bias(bias), Chain(SoftCap(3.0), Bias(bias)), Chain(Bias(bias / 2), Bias(bias / 2))):
        found = found_by("blocked", inputs, mod)
        wanted = found_by("reference", inputs, mod)
        torch.testing.assert_close(found["output"][0, 0, 3], inputs[2].mean(2)[0, 0])
        for what, one in found.items():
            torch.testing.assert_close(one, wanted[what], rtol=1e-4, atol=1e-5)
