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
from regard.normalizers import Entmax, divide_by_sum, softmax, sparsemax
from regard.score_mods import ALiBi, SoftCap
from regard.scores import Additive, Cosine, FeatureMapDot, NegativeSquaredDistance, ScaledDot

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


def _additive() -> Additive:
    """Without weights, so that it serves float32 and float64."""
    return Additive()


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
    "triton, additive": ("triton", lambda q, k: {"score": _additive()}),
    "triton, additive causal": (
        "triton",
        lambda q, k: {"score": _additive(), "mask": Causal(), "score_mod": ALiBi(4)},
    ),
    "triton, additive window": (
        "triton",
        lambda q, k: {"score": _additive(), "mask": SlidingWindow(9, 3)},
    ),
    "triton, additive documents": (
        "triton",
        lambda q, k: {"score": _additive(), **documents(q, k)},
    ),
    "triton, entmax": ("triton", lambda q, k: {"normalizer": Entmax()}),
    "triton, entmax causal": ("triton", lambda q, k: {"normalizer": Entmax(), "mask": Causal()}),
    "triton, entmax documents": (
        "triton",
        lambda q, k: {"normalizer": Entmax(), **documents(q, k)},
    ),
    "triton, entmax 1.3": ("triton", lambda q, k: {"normalizer": Entmax(1.3), "mask": Causal()}),
    "triton, sparsemax window": (
        "triton",
        lambda q, k: {"normalizer": sparsemax, "mask": SlidingWindow(99, 30)},
    ),
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


@pytest.mark.parametrize(
    ("backend", "parts"),
    [
        ("sdpa", {}),
        ("flex", {}),
        ("triton", {"normalizer": Entmax()}),
        ("triton", {"score": Additive()}),
    ],
    ids=["sdpa", "flex", "entmax", "additive"],
)
def test_padding_hides_what_it_holds_on_a_gpu(backend: str, parts: dict[str, Any]) -> None:
    query, key, value = inputs_of(64, 64, torch.bfloat16)
    parts = {"mask": Padding(torch.tensor([40, 0], device="cuda")), **parts}
    clean = gradients([query, key, value], backend, parts)
    key[0, :, 40:], value[1] = torch.nan, torch.inf
    for one, other in zip(gradients([query, key, value], backend, parts), clean, strict=True):
        assert torch.equal(one, other)
    assert not clean[0][1].any()


def test_scores_are_chosen_by_the_planner_on_a_gpu() -> None:
    query, key, value = inputs_of(2048, 2048, torch.bfloat16)
    parts = {"score": ScaledDot(), "normalizer": softmax}
    assert regard.plan(query, key, value, **parts).backend == "sdpa"
    assert regard.plan(query, key, value, **parts, mask=SlidingWindow(64)).backend == "banded"
    assert regard.plan(query, key, value, **parts, score_mod=SoftCap(5.0)).backend == "flex"


@pytest.mark.parametrize("std", [0.01, 1.0, 5.0, 50.0])
def test_additive_scores_are_exact_to_float32_on_a_gpu(std: float) -> None:
    inputs = [x * std for x in inputs_of(129, 257, torch.float32)]
    exact = gradients([x.double() for x in inputs], "reference", {"score": Additive()})
    found = gradients(inputs, "triton", {"score": Additive()})
    naive = gradients(inputs, "reference", {"score": Additive()})
    for one, other, golden in zip(found, naive, exact, strict=True):
        limit = 4 * (other.double() - golden).abs().max() + 1e-5 * golden.abs().max()
        assert (one.double() - golden).abs().max() <= limit


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_sparse_weights_are_exact_on_a_gpu(alpha: float, dtype: torch.dtype) -> None:
    parts = {"normalizer": sparsemax if alpha == 2.0 else Entmax(alpha), "mask": Causal()}
    inputs = inputs_of(300, 1025, dtype)
    exact = gradients([x.double() for x in inputs], "reference", parts)
    found, naive = (gradients(inputs, name, parts) for name in ("triton", "reference"))
    for one, other, golden in zip(found, naive, exact, strict=True):
        limit = 4 * (other.double() - golden).abs().max() + 1e-5 * golden.abs().max()
        assert (one.double() - golden).abs().max() <= limit


def test_triton_is_compiled_on_a_gpu() -> None:
    query, key, value = inputs_of(300, 300, torch.bfloat16)
    for parts in ({"score": Additive()}, {"normalizer": Entmax()}):
        # Chosen by name alone until these tests have run on a GPU; then its reservation goes.
        assert regard.plan(query, key, value, **parts, backend="triton").backend == "triton"

        def attend(q: Tensor, k: Tensor, v: Tensor, parts: Any = parts) -> Tensor:
            return regard.attention(q, k, v, **parts, mask=Causal(), backend="triton")

        compiled = torch.compile(attend, fullgraph=True)
        torch.testing.assert_close(compiled(query, key, value), attend(query, key, value))


def test_kernels_give_the_same_every_time_on_a_gpu() -> None:
    inputs = inputs_of(1025, 1025, torch.bfloat16)
    for parts in ({"score": Additive()}, {"normalizer": Entmax(), "mask": Causal()}):
        first, second = (gradients(inputs, "triton", parts) for _ in range(2))
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
