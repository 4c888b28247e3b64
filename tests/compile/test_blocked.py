"""Attention by blocks in recorded graphs: one opaque node with its gradients, at any length."""

import pytest
import torch
from torch import Tensor

import regard
from regard._kernels.installed import has_loops
from regard.masks import Block, Causal, Padding, Prefix, SlidingWindow

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

LENGTHS = torch.tensor([3, 5])
MASKS = [
    None, Causal(), Padding(LENGTHS), Causal() & Padding(LENGTHS), SlidingWindow(9, 4), Block(4),
    Causal() | Prefix(LENGTHS), SlidingWindow(20) & Prefix(40) & Prefix(30), ~Prefix(2),
]  # fmt: skip


@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_one_graph_serves_every_length_with_gradients(mask: object) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, mask=mask, backend="blocked")

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


def test_it_is_exported_with_a_dynamic_length() -> None:
    class Attends(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return regard.attention(x, x, x, mask=Causal(), backend="blocked")

    x = torch.randn(2, 2, 9, 8)
    length = torch.export.Dim("length", min=2, max=4096)
    program = torch.export.export(Attends(), (x,), dynamic_shapes=({2: length},))
    longer = torch.randn(2, 2, 77, 8)
    torch.testing.assert_close(program.module()(longer), Attends()(longer))


def test_the_operations_are_what_pytorch_asks_of_one() -> None:
    inputs = [torch.randn(2, 3, n, 8, requires_grad=True) for n in (5, 7, 7)]
    for shape in ((2, 2, 5), (2, 1, 1)):
        ends = torch.tensor([1, 6], dtype=torch.int32).view(2, 1, 1).expand(shape).contiguous()
        torch.library.opcheck(torch.ops.regard.blocked, (*inputs, 0.3, ends))


def test_the_planner_leaves_a_graph_to_pytorch() -> None:
    seen = []

    def keep(graph: torch.fx.GraphModule, _: object) -> object:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    x = torch.randn(1, 8, 512, 64)
    torch.compile(lambda y: regard.attention(y, y, y), backend=keep, fullgraph=True)(x)
    assert any("scaled_dot_product" in name for name in seen)
    assert not any("blocked" in name for name in seen)
