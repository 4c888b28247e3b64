"""A query without a permitted key: whatever gradient comes to it, none goes on from it."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard import attention_partial
from regard.masks import Block, Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import Entmax, Sink, TopK, divide_by_sum, sigmoid, softmax, sparsemax
from regard.score_mods import Bias
from regard.scores import FeatureMapDot
from tests.one_by_one import all_in_one

BATCH, HEADS, Q_LEN, K_LEN, WIDTH = 2, 2, 9, 6, 4
SOME = torch.ones(Q_LEN, K_LEN, dtype=torch.bool)
SOME[2], SOME[7] = False, False
MASKS: dict[str, Any] = {
    "dense": Dense(SOME),
    "dense and window": Dense(SOME) & SlidingWindow(9, 9),
    "dense, for each head": Dense(SOME.expand(1, 2, Q_LEN, K_LEN).clone()) & Causal(),
    "a length of none": Padding(torch.tensor([3, 0])),
    "causal, before the first key": Causal(),
    "window, before the first key": SlidingWindow(2),
    "blocks beyond the keys": Block(2) & Causal(),
    "not causal": ~Causal(),
    "prefix": Prefix(2) & Padding(torch.tensor([6, 0])),
    "documents that no key is of": Document(
        torch.tensor([[0] * 5 + [9] * 4] * 2), torch.tensor([[0] * 6] * 2)
    ),
}
BACKENDS = ("reference", "chunked", "sdpa", "banded", "linear", None)
BAD = [math.nan, math.inf, -math.inf]


def inputs(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(0)
    lengths = (Q_LEN, K_LEN, K_LEN)
    found = [torch.randn(BATCH, HEADS, n, WIDTH, dtype=dtype) for n in lengths]
    return [each.requires_grad_() for each in found]


def dead_rows(mask: Any) -> Tensor:
    """Which queries `[B, H, Q]` may see no key: those whose weights are all zero."""
    query, key, _ = (each.detach() for each in inputs())
    return ~regard.attention_weights(query, key, mask=mask).bool().any(-1)


def asked(mask: Any, backend: str | None, **parts: Any) -> tuple[list[Tensor], Tensor]:
    leaves = inputs()
    if backend == "linear":
        parts = {"score": FeatureMapDot(), "normalizer": divide_by_sum, **parts}
    try:
        output = regard.attention(*leaves, mask=mask, backend=backend, **parts)
    except regard.UnsupportedByBackend as error:
        pytest.skip(f"{backend} does not serve it: {error}")
    return leaves, output


def gradients(leaves: list[Tensor], output: Tensor, upstream: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(output, leaves, upstream, retain_graph=True))


def same(leaves: list[Tensor], output: Tensor, dead: Tensor, others: list[Tensor] = []) -> None:  # noqa: B006
    assert bool(dead.any()) and bool((~dead).any()), "the mask leaves nothing to be tested"
    torch.manual_seed(1)
    upstream = torch.randn_like(output)
    zero = upstream.masked_fill(dead.unsqueeze(-1), 0.0)
    wanted = gradients([*leaves, *others], output, zero)
    for bad in BAD:
        spoilt = upstream.masked_fill(dead.unsqueeze(-1), bad)
        for found, want in zip(gradients([*leaves, *others], output, spoilt), wanted, strict=True):
            assert torch.equal(found, want)
    alive = upstream.masked_fill(~dead.unsqueeze(-1), math.nan)
    assert not gradients(leaves, output, alive)[2].isfinite().all(), "what is seen is told"


def spelled(normalizer: Any) -> str:
    """Its name, the same in every process."""
    return getattr(normalizer, "__name__", str(normalizer))


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
@all_in_one("name", MASKS)
def test_a_gradient_of_a_dead_row_reaches_nothing(name: str, backend: str | None) -> None:
    leaves, output = asked(MASKS[name], backend)
    same(leaves, output, dead_rows(MASKS[name]))


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
@pytest.mark.parametrize("name", ["dense", "a length of none", "causal, before the first key"])
def test_nor_where_the_call_was_served_before(name: str, backend: str | None) -> None:
    for _ in range(3):
        leaves, output = asked(MASKS[name], backend)
        same(leaves, output, dead_rows(MASKS[name]))


@pytest.mark.parametrize("backend", ["reference", "chunked", None], ids=str)
@pytest.mark.parametrize(
    "normalizer", [softmax, sparsemax, sigmoid, Entmax(1.3), TopK(2), Sink(2).double()], ids=spelled
)
def test_nor_under_any_normalizer(normalizer: Any, backend: str | None) -> None:
    leaves, output = asked(MASKS["dense and window"], backend, normalizer=normalizer)
    same(leaves, output, dead_rows(MASKS["dense and window"]))


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa", None], ids=str)
def test_nor_a_learned_bias(backend: str | None) -> None:
    bias = torch.randn(Q_LEN, K_LEN, dtype=torch.float64, requires_grad=True)
    leaves, output = asked(MASKS["dense"], backend, score_mod=Bias(bias))
    same(leaves, output, dead_rows(MASKS["dense"]), [bias])


def test_nor_where_something_is_hidden_as_well() -> None:
    leaves = inputs()
    with torch.no_grad():
        leaves[1][1], leaves[2][1] = math.nan, math.inf
    mask = MASKS["a length of none"]
    output = regard.attention(*leaves, mask=mask)
    dead = dead_rows(mask)
    upstream = torch.randn_like(output)
    wanted = gradients(leaves, output, upstream.masked_fill(dead.unsqueeze(-1), 0.0))
    found = gradients(leaves, output, upstream.masked_fill(dead.unsqueeze(-1), math.nan))
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other) and bool(one.isfinite().all())


@pytest.mark.parametrize("normalizer", [softmax, sparsemax, sigmoid, Entmax(1.3)], ids=spelled)
def test_nor_of_its_weights(normalizer: Any) -> None:
    query, key, _ = inputs()
    mask = MASKS["dense"]
    weights = regard.attention_weights(query, key, mask=mask, normalizer=normalizer)
    dead = dead_rows(mask).unsqueeze(-1)
    upstream = torch.randn_like(weights)
    found, wanted = (
        torch.autograd.grad(
            weights, (query, key), upstream.masked_fill(dead, bad), retain_graph=True
        )
        for bad in (math.nan, 0.0)
    )
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)


def test_nor_the_pieces_and_their_sums() -> None:
    leaves = inputs()
    mask = MASKS["dense"]
    part = attention_partial(*leaves, mask=mask)
    dead = dead_rows(mask)
    assert bool((part.logsumexp[dead] == -math.inf).all())
    same(leaves, part.output, dead)


def test_nor_under_transforms() -> None:
    mask = MASKS["dense"]
    leaves = [each.detach() for each in inputs()]
    dead = dead_rows(mask).unsqueeze(-1)
    torch.manual_seed(1)
    upstream = torch.randn(BATCH, HEADS, Q_LEN, WIDTH, dtype=torch.float64)

    def back(gradient: Tensor) -> Any:
        _, pull = torch.func.vjp(lambda *x: regard.attention(*x, mask=mask), *leaves)
        return pull(gradient)

    wanted, found = (back(upstream.masked_fill(dead, bad)) for bad in (0.0, math.nan))
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other) and bool(one.isfinite().all())


def test_several_gradients_at_once() -> None:
    leaves, output = asked(MASKS["dense"], None)
    dead = dead_rows(MASKS["dense"]).unsqueeze(-1)
    several = torch.randn(3, *output.shape, dtype=torch.float64).masked_fill(dead, math.nan)
    found = torch.autograd.grad(output, leaves, several, is_grads_batched=True, retain_graph=True)
    for row, upstream in enumerate(several):
        wanted = gradients(leaves, output, upstream)
        for one, other in zip(found, wanted, strict=True):
            assert torch.allclose(one[row], other) and bool(other.isfinite().all())


def test_second_derivatives_stay_finite() -> None:
    leaves, output = asked(MASKS["dense"], None)
    dead = dead_rows(MASKS["dense"]).unsqueeze(-1)
    upstream = torch.randn_like(output).masked_fill(dead, math.nan).requires_grad_()
    first = torch.autograd.grad(output, leaves, upstream, create_graph=True)
    total = sum(each.square().sum() for each in first)
    for each in torch.autograd.grad(total, leaves):
        assert bool(each.isfinite().all())


def test_nothing_but_the_mask_is_kept_for_it() -> None:
    leaves, output = asked(MASKS["dense"], "sdpa")
    (hook,) = (output._backward_hooks or {}).values()
    held = [cell.cell_contents for cell in hook.__closure__]
    assert not any(isinstance(each, Tensor) or hasattr(each, "query") for each in held)
