"""Masks and score mods are traced whole, and being values costs no recompilation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from regard.masks import Block, Causal, Dense, Document, KeyCounts, Mask, Not, Prefix, SlidingWindow
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, SoftCap
from regard.scores import Cosine, InverseDistance, ScaledDot
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


def compiled_once_or_twice(evaluate: Callable[..., Tensor], values: list, *others: Tensor) -> None:
    """Evaluate at one value after another: exact at each, with two graphs at most."""
    graphs = 0

    def count(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable:
        nonlocal graphs
        graphs += 1
        return graph.forward

    compiled = torch.compile(evaluate, fullgraph=True, backend=count)
    for value in values:
        torch.testing.assert_close(compiled(value, *others), evaluate(value, *others))
    assert graphs <= 2


AT = indices(2, 3, 5, 7)
COUNTED: dict[str, Callable[[int], Mask]] = {
    "SlidingWindow": lambda n: SlidingWindow(n),
    "SlidingWindow both": lambda n: SlidingWindow(n, n),
    "Block": lambda n: Block(n),
    "Prefix": lambda n: Prefix(n),
    "joined": lambda n: Causal() & SlidingWindow(n) | Not(Prefix(n)),
}
MEASURED: dict[str, Callable[[float], Callable[..., Tensor]]] = {
    "SoftCap": lambda x: SoftCap(x),
    "Chain": lambda x: Chain(SoftCap(x), ALiBi(3), SoftCap(x)),
}
SCORED: dict[str, Callable[[float], Callable[..., Tensor]]] = {
    "ScaledDot": lambda x: ScaledDot(x),
    "Cosine": lambda x: Cosine(x),
    "InverseDistance": lambda x: InverseDistance(x),
}


@pytest.mark.parametrize("make", COUNTED.values(), ids=COUNTED)
def test_a_mask_may_change_its_number(make: Callable[[int], Mask]) -> None:
    """Made inside of what is compiled, or outside and passed in."""
    compiled_once_or_twice(lambda n: make(n)(*AT), [3, 4, 5, 6, 2])
    torch._dynamo.reset()
    compiled_once_or_twice(lambda mask: mask(*AT), [make(n) for n in (3, 4, 5, 6, 2)])


@pytest.mark.parametrize("make", MEASURED.values(), ids=MEASURED)
def test_a_score_mod_may_change_its_number(make: Callable[..., Callable[..., Tensor]]) -> None:
    scores, values = torch.randn(2, 3, 5, 7), [30.0, 40.0, 50.0, 2.5, 3.5]
    compiled_once_or_twice(lambda x, scores: make(x)(scores, *AT), values, scores)
    torch._dynamo.reset()
    made = [make(x) for x in values]
    compiled_once_or_twice(lambda mod, scores: mod(scores, *AT), made, scores)


@pytest.mark.parametrize("make", SCORED.values(), ids=SCORED)
def test_a_score_may_change_its_number(make: Callable[..., Callable[..., Tensor]]) -> None:
    query, key, values = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), [3.0, 4.0, 5.0, 2.5, 0.5]
    compiled_once_or_twice(lambda x, q, k: make(x)(q, k), values, query, key)
    torch._dynamo.reset()
    compiled_once_or_twice(lambda part, q, k: part(q, k), [make(x) for x in values], query, key)


@pytest.mark.parametrize("make", SCORED.values(), ids=SCORED)
def test_a_learned_number_is_compiled_with_its_gradient(
    make: Callable[..., Callable[..., Tensor]],
) -> None:
    query, key = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4)
    learned = nn.Parameter(torch.tensor(0.7))
    part = make(learned)
    compiled = torch.compile(part.__call__, fullgraph=True, backend="aot_eager")
    gradients = [
        torch.autograd.grad(evaluate(query, key).square().sum(), learned)
        for evaluate in (compiled, part)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(torch.rand(12, 7) < 0.5, first_query=0),
        lambda: KeyCounts(torch.arange(12), first_query=0),
        lambda: Document(torch.arange(12) // 3),
        lambda: Causal() & ~Dense(torch.rand(1, 3, 12, 7) < 0.5, first_query=0),
    ],
)
def test_the_rows_of_a_call_may_start_anywhere(make: Callable[[], Mask]) -> None:
    mask = make()
    b, h, q, k = AT
    compiled_once_or_twice(lambda n: mask.aligned(n)(b, h, q + n, k), [0, 1, 2, 3, 5])
    torch._dynamo.reset()
    offsets = [torch.tensor(pair) for pair in ([0, 1], [2, 1], [3, 3], [7, 0])]
    compiled_once_or_twice(lambda at: mask.aligned(at)(b, h, q + at.view(2, 1, 1, 1), k), offsets)


def test_a_growing_cache_does_not_recompile_for_ever() -> None:
    mod, mask = Bias(torch.randn(3, 40, 40), first_query=0), Dense(torch.rand(40, 40) < 0.5, 0)
    graphs = 0

    def count(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable:
        nonlocal graphs
        graphs += 1
        return graph.forward

    def step(query: Tensor, key: Tensor) -> Tensor:
        offset = key.shape[2] - query.shape[2]
        b, h, q, k = indices(2, 3, 1, key.shape[2], offset)
        for part in (mod, mask):
            part.check(query, key)
        bound = mod.aligned(offset)
        bound.check(query, key)
        scores = bound(query @ key.mT, b, h, q, k)
        return scores.masked_fill(~mask.aligned(offset)(b, h, q, k), 0)

    compiled = torch.compile(step, fullgraph=True, backend=count)
    for length in range(2, 30):
        given = torch.randn(2, 3, 1, 4), torch.randn(2, 3, length, 4)
        torch.testing.assert_close(compiled(*given), step(*given))
    assert graphs <= 3


@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_are_exported_for_every_length(bidirectional: bool) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mod = RelativeBias(3, 8, 5, bidirectional)

        def forward(self, scores: Tensor) -> Tensor:
            return self.mod(scores, *indices(2, 3, scores.shape[2], scores.shape[3]))

    model = Model()
    length = torch.export.Dim("length", min=2, max=4096)
    exported = torch.export.export(
        model, (torch.randn(2, 3, 8, 8),), dynamic_shapes=({2: length, 3: length},)
    )
    assert set(exported.state_dict) == {"mod.weight"}
    for n in (2, 8, 300):
        scores = torch.randn(2, 3, n, n)
        torch.testing.assert_close(exported.module()(scores), model(scores))
