"""What is not finite, and is seen, comes out where the definition has it, whoever serves it."""

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import regard
from regard._kernels.installed import has_loops
from regard.masks import Causal, Padding, SlidingWindow
from regard.normalizers import Entmax, TopK, hard, softmax, sparsemax
from regard.scores import Additive
from tests.parts import shown

LENGTH, PLACE = 40, 5
STEP = 3
"""Queries of a decoder's step."""

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "blocked": ("blocked", {}), "sdpa": ("sdpa", {}), "chunked": ("chunked", {}),
    "sparsemax": ("sparse", {"normalizer": sparsemax}),
    "entmax": ("sparse", {"normalizer": Entmax(1.5)}), "hard": ("sparse", {"normalizer": hard}),
    "top-k": ("sparse", {"normalizer": TopK(3)}),
    "chunked sparsemax": ("chunked", {"normalizer": sparsemax}),
    "additive": ("additive", {"score": Additive()}),
    "additive sparsemax": ("additive", {"score": Additive(), "normalizer": sparsemax}),
    "a step": ("additive", {"score": Additive()}),
    "planned": ("", {"normalizer": softmax}),
}  # fmt: skip
MASKS = [None, Causal(), SlidingWindow(4, 2), Padding(torch.tensor([LENGTH, 30]))]
BAD = [math.nan, math.inf, -math.inf, 1e38, 2.5e38, -3.3e38]


class Served(NamedTuple):
    """Which backend serves what, and how many queries."""

    backend: str
    parts: dict[str, Any]
    queries: int


@pytest.fixture(params=CALLS)
def served(request: pytest.FixtureRequest) -> Served:
    backend, parts = CALLS[request.param]
    if backend in ("blocked", "sparse", "additive") and not has_loops():
        pytest.skip("Numba is not installed")
    return Served(backend, parts, STEP if request.param == "a step" else LENGTH)


def drawn(seed: int, queries: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (2, 4, queries, 8), (2, 2, LENGTH, 8), (2, 2, LENGTH, 6)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def run(given: list[Tensor], backend: str, **parts: Any) -> Tensor | None:
    """Evaluate the call; None where a named backend leaves numbers that overflow to another."""
    try:
        return regard.attention(*given, **parts, backend=backend or None)
    except regard.UnsupportedByBackend as error:
        assert "whose products overflow" in str(error)
        return None


@pytest.mark.parametrize("mask", MASKS, ids=shown)
@pytest.mark.parametrize("where", ["query", "key", "value"])
def test_the_same_outputs_are_not_finite(served: Served, where: str, mask: Any) -> None:
    backend, parts, queries = served
    for seed, bad in enumerate(BAD):
        given = drawn(seed, queries)
        place = PLACE % queries if where == "query" else PLACE
        given[["query", "key", "value"].index(where)][0, 1, place, 3] = bad
        found = run(given, backend, mask=mask, **parts)
        wanted = regard.attention(*given, mask=mask, **parts, backend="reference")
        if found is not None:
            assert torch.equal(found.isfinite(), wanted.isfinite()), bad


def test_products_that_overflow_do_so_wherever_the_definition_has_it(
    served: Served,
) -> None:
    backend, parts, queries = served
    for seed, size in enumerate((1e18, 1e25)):
        given = drawn(seed, queries)
        given[0], given[1] = given[0] * size, given[1] * size
        found = run(given, backend, **parts)
        assert found is not None
        wanted = regard.attention(*given, **parts, backend="reference")
        assert torch.equal(found.isfinite(), wanted.isfinite()), size


@pytest.mark.parametrize("bad", BAD)
def test_what_is_hidden_changes_nothing(served: Served, bad: float) -> None:
    backend, parts, queries = served
    mask, given = Causal() & Padding(torch.tensor([LENGTH, 30])), drawn(7, queries)
    wanted = run(given, backend, mask=mask, **parts)
    given[1][1, :, 30:], given[2][1, :, 30:] = bad, bad
    found = run(given, backend, mask=mask, **parts)
    if found is not None:
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
