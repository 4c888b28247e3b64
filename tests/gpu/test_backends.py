"""Every backend on a GPU against the reference there: output and every gradient.

`make test-gpu` runs them, where there is a device.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import divide_by_sum, softmax, sparsemax
from regard.score_mods import ALiBi, SoftCap
from regard.scores import Cosine, FeatureMapDot, NegativeSquaredDistance, ScaledDot

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]

LENGTHS = [(1, 1), (127, 127), (129, 129), (5, 260), (1025, 1025)]
Parts = Callable[[int, int], dict[str, Any]]


def documents(q_len: int, k_len: int) -> dict[str, Any]:
    """Two documents a row, so that the mask carries a tensor."""
    ids = torch.arange(k_len, device="cuda").expand(2, -1) // max(1, k_len // 2)
    return {"mask": Causal() & Document(ids)}


CASES: dict[str, tuple[str, Parts]] = {
    "sdpa, plain": ("sdpa", lambda q, k: {}),
    "sdpa, causal": ("sdpa", lambda q, k: {"mask": Causal()}),
    "sdpa, cosine": ("sdpa", lambda q, k: {"score": Cosine(0.1)}),
    "sdpa, distance": ("sdpa", lambda q, k: {"score": NegativeSquaredDistance()}),
    "banded, window": ("banded", lambda q, k: {"mask": SlidingWindow(9, 3)}),
    "flex, causal": ("flex", lambda q, k: {"mask": Causal()}),
    "flex, documents": ("flex", documents),
    "flex, alibi": ("flex", lambda q, k: {"mask": Causal(), "score_mod": ALiBi(4)}),
    "flex, soft cap": ("flex", lambda q, k: {"score_mod": SoftCap(5.0)}),
    "chunked, sparsemax": ("chunked", lambda q, k: {"normalizer": sparsemax}),
    "linear, causal": (
        "linear",
        lambda q, k: {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()},
    ),
}


def gradients(inputs: list[Tensor], backend: str, parts: dict[str, Any]) -> list[Tensor]:
    """The output and the gradients of query, key and value."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    output = regard.attention(*leaves, **parts, backend=backend)
    flow = torch.linspace(-1, 1, output.numel(), device=output.device).view_as(output)
    return [output.detach(), *torch.autograd.grad(output, leaves, flow.to(output.dtype))]


def inputs_of(q_len: int, k_len: int, dtype: torch.dtype) -> list[Tensor]:
    """Four query heads on two key heads, 64 wide."""
    generator = torch.Generator("cuda").manual_seed(q_len)
    shapes = [(2, 4, q_len, 64), (2, 2, k_len, 64), (2, 2, k_len, 64)]
    return [torch.randn(s, device="cuda", dtype=dtype, generator=generator) for s in shapes]


@pytest.mark.parametrize(("q_len", "k_len"), LENGTHS)
@pytest.mark.parametrize(("backend", "parts"), CASES.values(), ids=CASES)
def test_backends_on_a_gpu_equal_the_reference(
    backend: str, parts: Parts, q_len: int, k_len: int
) -> None:
    inputs, chosen = inputs_of(q_len, k_len, torch.float32), parts(q_len, k_len)
    exact = gradients([x.double() for x in inputs], "reference", chosen)
    found = gradients(inputs, backend, chosen)
    for one, golden in zip(found, exact, strict=True):
        assert one.isfinite().all()
        assert (one.double() - golden).abs().max() <= 2e-2 * golden.abs().max().clamp_min(1e-3)


@pytest.mark.parametrize("backend", ["sdpa", "flex"])
def test_padding_hides_what_it_holds_on_a_gpu(backend: str) -> None:
    query, key, value = inputs_of(64, 64, torch.bfloat16)
    mask = Padding(torch.tensor([40, 0], device="cuda"))
    clean = gradients([query, key, value], backend, {"mask": mask})
    key[0, :, 40:], value[1] = torch.nan, torch.inf
    for one, other in zip(
        gradients([query, key, value], backend, {"mask": mask}), clean, strict=True
    ):
        assert torch.equal(one, other)
    assert not clean[0][1].any()


def test_scores_are_chosen_by_the_planner_on_a_gpu() -> None:
    query, key, value = inputs_of(2048, 2048, torch.bfloat16)
    parts = {"score": ScaledDot(), "normalizer": softmax}
    assert regard.plan(query, key, value, **parts).backend == "sdpa"
    assert regard.plan(query, key, value, **parts, mask=SlidingWindow(64)).backend == "banded"
    assert regard.plan(query, key, value, **parts, score_mod=SoftCap(5.0)).backend == "flex"
