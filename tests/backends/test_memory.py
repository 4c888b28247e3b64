"""What a backend promises not to hold: the largest tensor of a call, forward and backward."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import regard
from regard._backends import chunked
from regard._kernels.installed import has_loops
from regard.masks import Causal, Padding, SlidingWindow
from regard.normalizers import divide_by_sum, sparsemax
from regard.scores import Additive, FeatureMapDot
from tests.parts import shown


class Largest(TorchDispatchMode):
    """Remember the largest tensor that any operation made, in elements of its own storage.

    Views of what was given do not count.
    """

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.elements = 0
        self.given = {x.untyped_storage().data_ptr() for x in given}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for x in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(x, Tensor) and x.untyped_storage().data_ptr() not in self.given:
                size = x.untyped_storage().nbytes() // x.element_size()
                self.elements = max(self.elements, size)
        return made


def largest(length: int, **parts: Any) -> int:
    """The largest tensor of one head's forward and backward pass at this length."""
    query, key, value = (torch.randn(1, 1, length, 8).requires_grad_() for _ in range(3))
    with Largest() as seen:
        regard.attention(query, key, value, **parts).sum().backward()
    return seen.elements


def test_the_measure_sees_a_full_matrix() -> None:
    assert largest(300, backend="reference") == 300 * 300


def test_vectors_that_lie_apart_do_not_make_the_fused_kernel_build_the_matrix() -> None:
    """So a map's channels lie, one plane after the other."""
    length = 1024
    query, key, value = (torch.randn(1, 1, 8, length).requires_grad_() for _ in range(3))
    with Largest() as seen:
        output = regard.attention(query.mT, key.mT, value.mT, backend="sdpa")
        output.sum().backward()
    assert seen.elements <= 4 * 8 * length
    wanted = regard.attention(query.mT, key.mT, value.mT, backend="reference")
    torch.testing.assert_close(output, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("parts", [{"normalizer": sparsemax}, {"mask": Causal()}], ids=shown)
def test_chunks_hold_a_chunk_of_scores(
    parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 10 * 300 * 4)
    assert 9 * 300 < largest(300, **parts, backend="chunked") <= 10 * 300
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 10 * 300 * 4 * 8)
    assert 9 * 300 < largest(300, **parts, score=Additive(), backend="chunked") / 8 <= 10 * 300


@pytest.mark.skipif(not has_loops(), reason="Numba is not installed")
def test_additive_scores_hold_no_vector_for_a_pair() -> None:
    assert largest(300, score=Additive(8, 8, 64), backend="additive") == 300 * 300


def test_a_window_grows_with_the_length_and_not_with_its_square() -> None:
    sizes = [largest(n, mask=SlidingWindow(20) & Causal(), backend="banded") for n in (512, 1024)]
    assert sizes[1] < 2.2 * sizes[0] < 0.5 * 512 * 512


def test_chunks_of_a_window_grow_with_the_length_and_not_with_its_square() -> None:
    parts = {"mask": SlidingWindow(20, 9), "normalizer": sparsemax, "backend": "chunked"}
    sizes = [largest(n, **parts) for n in (1024, 2048)]
    assert sizes[1] < 1.2 * sizes[0] < 0.1 * 1024 * 1024


@pytest.mark.parametrize("mask", [None, Causal(), Padding(torch.tensor([100]))], ids=shown)
def test_linear_attention_has_no_matrix(mask: Any) -> None:
    parts = {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": mask}
    assert largest(2048, **parts) <= 2048 * (64 + 9)


def test_some_rows_of_the_weights_cost_some_rows() -> None:
    query, key = torch.randn(1, 2, 500, 8), torch.randn(1, 2, 500, 8)
    with Largest() as seen:
        regard.attention_weights(query, key, rows=slice(0, 8), heads=1, mask=Causal())
    assert seen.elements <= 2 * 500 * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("q_len", [2, 5])
def test_queries_may_overlap_in_memory(q_len: int, dtype: torch.dtype) -> None:
    query = torch.randn(1, 2, q_len + 23).to(dtype).unfold(-1, 24, 1)
    key, value = (torch.randn(1, 2, 9, 24).to(dtype) for _ in range(2))
    for mask in (None, Causal()):
        found = regard.attention(query, key, value, mask=mask, backend="sdpa")
        wanted = regard.attention(query, key, value, mask=mask, backend="reference")
        torch.testing.assert_close(found, wanted, rtol=2e-2, atol=2e-2)
