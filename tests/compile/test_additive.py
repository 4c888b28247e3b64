"""Additive scores in recorded graphs: one for every length."""

from typing import Any

import pytest
import torch

import regard
from regard._kernels.installed import has_loops
from regard.normalizers import sparsemax
from regard.scores import Additive

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", ["additive", "chunked"])
def test_every_length_is_one_graph(backend: str) -> None:
    def call(x: torch.Tensor, backend: str = backend) -> torch.Tensor:
        return regard.attention(x, x, x, score=Additive(), backend=backend)

    torch._dynamo.reset()
    graph = torch.compile(call, fullgraph=True, dynamic=True, backend="eager")
    for length in (20, 23):
        x = torch.randn(1, 2, length, 6)
        torch.testing.assert_close(graph(x), call(x, "reference"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["sparse", "additive"])
def test_loops_are_not_asked_inside_of_a_recorded_transform(backend: str) -> None:
    """Which has no rule for their operation; the plan has another way."""
    parts: dict[str, Any] = {"score": Additive()}
    if backend == "sparse":
        parts = {"normalizer": sparsemax}

    def loss(x: torch.Tensor) -> torch.Tensor:
        return regard.attention(x, x, x, **parts).square().sum()

    x, grad = torch.randn(3, 1, 2, 800, 6), torch.func.grad(loss)
    for run, given in ((torch.func.vmap(loss), x), (grad, x[0]), (torch.func.vmap(grad), x)):
        torch._dynamo.reset()
        graph = torch.compile(run, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(graph(given), run(given), rtol=1e-5, atol=1e-5)
