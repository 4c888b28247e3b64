"""Masks and score mods are traced whole, and being values costs no recompilation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from regard.masks import Causal, Mask, SlidingWindow
from tests.contracts.test_masks import MASKS, call, indices
from tests.contracts.test_score_mods import MODS, aligned


@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_every_mask_is_traced_whole(make: Callable) -> None:
    mask, _ = make(2, 3, 5, 7)

    def evaluate(mask: Mask, query: Tensor, key: Tensor) -> Tensor:
        mask.check(query, key)
        joined = Causal() & mask.aligned(0)
        return joined(*indices(2, 3, 5, 7))

    query, key = call(2, 3, 5, 7)
    compiled = torch.compile(evaluate, fullgraph=True, backend="eager")
    assert torch.equal(compiled(mask, query, key), evaluate(mask, query, key))


@pytest.mark.parametrize("make", MODS.values(), ids=MODS)
def test_every_score_mod_is_traced_whole(make: Callable) -> None:
    mod, _ = make(2, 3, 5, 7)
    scores = torch.randn(2, 3, 5, 7)

    def evaluate(mod: Callable[..., Tensor], scores: Tensor) -> Tensor:
        return aligned(mod, 0)(scores, *indices(2, 3, 5, 7))

    compiled = torch.compile(evaluate, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(mod, scores), evaluate(mod, scores))


def test_an_equal_mask_made_anew_does_not_recompile() -> None:
    graphs = 0

    def count(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable:
        nonlocal graphs
        graphs += 1
        return graph.forward

    @torch.compile(fullgraph=True, backend=count)
    def evaluate(mask: Mask, position: Tensor) -> Tensor:
        return mask(position[:1], position[:1], position[:, None], position)

    for _ in range(4):
        evaluate(Causal() & SlidingWindow(3), torch.arange(8))
    assert graphs == 1


def test_lengths_do_not_recompile_for_ever() -> None:
    graphs = 0

    def count(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable:
        nonlocal graphs
        graphs += 1
        return graph.forward

    @torch.compile(fullgraph=True, backend=count)
    def evaluate(mask: Mask, position: Tensor) -> Tensor:
        return mask(position[:1], position[:1], position[:, None], position)

    for length in range(5, 64, 6):
        evaluate(Causal() & SlidingWindow(3), torch.arange(length))
    assert graphs <= 2
