"""Additive scores in recorded graphs: one for every length."""

import pytest
import torch

import regard
from regard._kernels.installed import has_loops
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
