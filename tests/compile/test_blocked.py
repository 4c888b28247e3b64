"""Attention by blocks in recorded graphs: one opaque node with its gradients, at any length."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

import regard
from regard._backends import _blocked_grad, _rates
from regard._kernels.installed import has_loops
from regard._kernels.links import BY_DISTANCE, BY_PAIR, BY_VECTORS, CAP
from regard.masks import Block, Causal, Padding, Prefix, SlidingWindow
from regard.normalizers import sigmoid
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

LENGTHS = torch.tensor([3, 5])
MASKS = [
    None, Causal(), Padding(LENGTHS), Causal() & Padding(LENGTHS), SlidingWindow(9, 4), Block(4),
    Causal() | Prefix(LENGTHS), SlidingWindow(20) & Prefix(40) & Prefix(30), ~Prefix(2),
]  # fmt: skip


def some_bias() -> Bias:
    return Bias(torch.linspace(-1.0, 1.0, 8).view(2, 4, 1, 1))


# Numbers of parts that are made outside may vary, where a graph is for many lengths.
CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    **{str(mask): partial(dict, mask=mask) for mask in MASKS},
    "alibi": lambda: {"mask": Causal(), "score_mod": ALiBi(4)},
    "cap": lambda: {"mask": Causal(), "score_mod": SoftCap(2.0)},
    "alibi, cap": lambda: {"score_mod": Chain(ALiBi(4), SoftCap(2.0))},
    "cap, alibi, cap": lambda: {"score_mod": Chain(SoftCap(3.0), ALiBi(4), SoftCap(2.0))},
    "cap that is a tensor": lambda: {"score_mod": Chain(SoftCap(torch.tensor(3.0)), some_bias())},
    "sigmoid": lambda: {"normalizer": sigmoid, "score_mod": some_bias()},
}


@pytest.mark.parametrize("name", CALLS)
def test_one_graph_serves_every_length_with_gradients(name: str) -> None:
    parts = CALLS[name]

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, **parts(), backend="blocked")

    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True, dynamic=True)
    for length in (5, 33, 70):
        inputs = [torch.randn(2, heads, length, 8) for heads in (4, 2, 2)]
        results = []
        for run in (attend, compiled):
            leaves = [one.clone().requires_grad_() for one in inputs]
            output = run(*leaves)
            results.append([output, *torch.autograd.grad(output.sin().sum(), leaves)])
        for found, wanted in zip(*results, strict=True):
            torch.testing.assert_close(found, wanted)


def test_a_table_gets_its_gradient_through_a_graph() -> None:
    bias = RelativeBias(4, 8, 20)

    def attend(x: Tensor) -> Tensor:
        return regard.attention(x, x, x, score_mod=bias, backend="blocked")

    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True, dynamic=True)
    for length in (9, 40):
        x = torch.randn(2, 4, length, 8)
        found, wanted = (
            torch.autograd.grad(run(x).sin().sum(), bias.weight) for run in (compiled, attend)
        )
        torch.testing.assert_close(found, wanted)


def test_products_with_distances_are_in_a_graph_of_known_lengths() -> None:
    query, keys = torch.randn(2, 4, 40, 6), torch.randn(1, 4, 60, 6)

    def attend(x: Tensor, query: Tensor, keys: Tensor) -> Tensor:
        mod = RelativeDot(query, keys, farthest=20)
        return regard.attention(x, x, x, score_mod=mod, backend="blocked")

    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True, dynamic=False)
    results = []
    for run in (attend, compiled):
        leaves = [
            x.clone().requires_grad_() for x in (torch.ones(2, 4, 40, 8).cumsum(2), query, keys)
        ]
        output = run(*leaves)
        results.append([output, *torch.autograd.grad(output.sin().sum(), leaves)])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)


class Attends(torch.nn.Module):
    """Attention of an input to itself, as somebody exports it."""

    def __init__(self, backend: str | None) -> None:
        super().__init__()
        self.backend = backend

    def forward(self, x: Tensor) -> Tensor:
        """Attend under a causal mask."""
        return regard.attention(x, x, x, mask=Causal(), backend=self.backend)


def test_it_is_exported_with_a_dynamic_length() -> None:
    x = torch.randn(2, 2, 9, 8)
    length = torch.export.Dim("length", min=2, max=4096)
    program = torch.export.export(Attends("blocked"), (x,), dynamic_shapes=({2: length},))
    longer = torch.randn(2, 2, 77, 8)
    torch.testing.assert_close(program.module()(longer), Attends("blocked")(longer))


def test_the_operations_are_what_pytorch_asks_of_one() -> None:
    inputs = [torch.randn(2, 3, n, 8, requires_grad=True) for n in (5, 7, 7)]
    ends = torch.tensor([1, 6], dtype=torch.int32).view(2, 1, 1)
    all_kept, some_kept = (1 << 16, None), (40_000, torch.tensor([5]))
    for shape, is_sigmoid, kinds, shapes_of_held, dropping, learns in (
        ((2, 2, 5), False, [], [], all_kept, []),
        ((2, 1, 1), True, [], [], some_kept, []),
        ((2, 1, 1), True, [BY_DISTANCE], [(1, 3, 11)], all_kept, [True]),
        ((2, 2, 5), False, [BY_DISTANCE, CAP], [(1, 3, 11), (1,)], some_kept, [True, False]),
        ((2, 2, 5), False, [CAP, BY_PAIR, CAP], [(1,), (1, 3, 5, 7), (1,)], all_kept, [True] * 3),
        ((2, 1, 1), False, [BY_PAIR], [(2, 1, 1, 7)], some_kept, [True]),
        ((2, 1, 1), False, [BY_PAIR, BY_VECTORS], [(1, 1, 5, 7), (2, 3, 5, 6), (1, 3, 11, 6)],
         all_kept, [False, True, True]),
    ):  # fmt: skip
        held = [torch.rand(one) + 0.5 for one in shapes_of_held]
        for x, own in zip(held, learns, strict=True):
            x.requires_grad_(own)
        factors, given = [0.5] * len(kinds), (*inputs, held, ends.expand(shape).contiguous())
        given = *given, 0.3, is_sigmoid, kinds, factors, *dropping, learns
        torch.library.opcheck(_blocked_grad._operation, given)


def test_a_cap_and_tensors_of_biases_learn_through_a_graph() -> None:
    cap, biases = torch.nn.Parameter(torch.tensor(3.0)), torch.nn.Parameter(torch.randn(4, 40, 40))

    def attend(x: Tensor) -> Tensor:
        mod = Chain(ALiBi(4), SoftCap(cap), Bias(biases), SoftCap(5.0))
        return regard.attention(x, x, x, score_mod=mod, backend="blocked")

    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True)
    results = []
    for run in (attend, compiled):
        x = torch.ones(2, 4, 40, 8).cumsum(2).div(20).requires_grad_()
        output = run(x)
        results.append([output, *torch.autograd.grad(output.sin().sum(), [x, cap, biases])])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.fixture(params=[True, False], ids=["measured", "not measured"])
def is_measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Say whether a rate of our loops is known, and stand for a machine where that is so."""
    tiles = 3e11 if request.param else 0.0
    known = {torch.float32: replace(_rates.RATES[_rates.OTHERWISE][torch.float32], tiles=tiles)}
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: known)
    return bool(request.param)


@pytest.mark.parametrize("mask", [None, Causal(), SlidingWindow(20, 20)], ids=str)
def test_the_planner_takes_it_for_long_calls_where_it_is_faster(
    mask: object, is_measured: bool
) -> None:
    seen: list[str] = []

    def keep(graph: torch.fx.GraphModule, _: object) -> object:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    def attend(x: Tensor) -> Tensor:
        return regard.attention(x, x, x, mask=mask)

    for dynamic in (False, True):
        for length, is_long in ((40, False), (512, True)):
            torch._dynamo.reset()
            seen.clear()
            x = torch.randn(1, 8, length, 64)
            found = torch.compile(attend, backend=keep, fullgraph=True, dynamic=dynamic)(x)
            assert any("blocked" in name for name in seen) == (is_long and is_measured)
            torch.testing.assert_close(found, attend(x), rtol=1e-4, atol=1e-5)


def test_a_graph_that_took_it_serves_every_length_and_is_exported_without_it() -> None:
    counter = CompileCounterWithBackend("eager")

    def attend(x: Tensor) -> Tensor:
        return regard.attention(x, x, x, mask=Causal())

    compiled = torch.compile(attend, backend=counter, fullgraph=True, dynamic=True)
    for length in (700, 512, 40, 5, 900):
        x = torch.randn(1, 8, length, 64)
        torch.testing.assert_close(compiled(x), attend(x), rtol=1e-4, atol=1e-5)
    assert counter.frame_count == 1
    program = torch.export.export(Attends(None), (torch.randn(1, 8, 600, 64),))
    assert "blocked" not in str(program.graph)
