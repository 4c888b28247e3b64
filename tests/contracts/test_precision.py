"""The rule of tests.tolerance for every backend, in float32 and the half types, on hard inputs.

Golden is the reference in float64 from inputs rounded to the tested dtype; naive is the formula
written out with every step in the tested dtype. Torch's fused kernel for the CPU errs by more than
that (its exponential has 20 bits), and so does any other order of the sums: where a backend uses
one of these, naive is, entry by entry, the worse of the formula and of that kernel or order called
directly. What the backend adds of its own must not show.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from regard._backends import chunked
from regard.masks import Causal, Document, SlidingWindow
from regard.normalizers import divide_by_sum, sigmoid, softmax, sparsemax
from regard.score_mods import ALiBi, Chain, SoftCap
from regard.scores import (
    Additive,
    Bilinear,
    ConcatLinear,
    Cosine,
    FeatureMapDot,
    InverseDistance,
    Location,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.one_by_one import all_in_one
from tests.parts import Sizes, tensors
from tests.probe import evaluate, slope
from tests.tolerance import UNIT_NORMAL_CAP, assert_close_to_golden

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def _unit(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query, key, value


def _wide(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return 5 * query, 5 * key, 5 * value


def _dominant(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    key = key.clone()
    key[:, :, key.shape[2] // 2] = 4 * query.mean((1, 2), keepdim=True)[:, :, 0]
    return query, key, value


def _equal(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query, key[:, :, :1].expand_as(key), value


def _shifted(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query + 8, key + 8, value + 3


def _uneven(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    size = torch.logspace(-3, 1.5, key.shape[2], dtype=key.dtype).view(-1, 1)
    return query, key * size, value * size.flip(0)


INPUTS: dict[str, Callable[..., tuple[Tensor, Tensor, Tensor]]] = {
    "unit": _unit,
    "wide": _wide,
    "dominant": _dominant,
    "equal": _equal,
    "shifted": _shifted,
    "uneven": _uneven,
}


def _written_out(
    query: Tensor, key: Tensor, value: Tensor, score: Any, normalizer: Any, mask: Any
) -> Tensor:
    """Attend with every step in the dtype of the inputs, as a first draft would."""
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    if isinstance(score, ScaledDot):
        scores = query @ key.mT * query.shape[-1] ** -0.5
    elif isinstance(score, Cosine):
        q, k = (x / x.norm(dim=-1, keepdim=True) for x in (query, key))
        scores = q @ k.mT / score.temperature
    elif isinstance(score, NegativeSquaredDistance):
        scores = -(query.unsqueeze(3) - key.unsqueeze(2)).square().sum(-1)
    elif isinstance(score, InverseDistance):
        scores = 1 / (1 + (query.unsqueeze(3) - key.unsqueeze(2)).square().sum(-1).sqrt())
    elif isinstance(score, FeatureMapDot):
        scores = score.feature_map(query) @ score.feature_map(key).mT
    else:
        scores = torch.tanh(query.unsqueeze(3) + key.unsqueeze(2)).sum(-1)
    allowed = torch.ones(scores.shape[-2:], dtype=torch.bool)
    if mask is not None:
        q = torch.arange(query.shape[2]).view(-1, 1) + key.shape[2] - query.shape[2]
        allowed = mask(torch.tensor(0), torch.tensor(0), q, torch.arange(key.shape[2]))
    if normalizer is softmax:
        weights = scores.masked_fill(~allowed, -math.inf).softmax(-1)
    elif normalizer is sigmoid:
        weights = scores.sigmoid().masked_fill(~allowed, 0)
    else:
        scores = scores.masked_fill(~allowed, 0)
        weights = scores / scores.sum(-1, keepdim=True)
    return weights.masked_fill(~allowed.any(-1, keepdim=True), 0) @ value


def _fused(
    query: Tensor, key: Tensor, value: Tensor, score: Any, normalizer: Any, mask: Any
) -> Tensor:
    """Call torch's kernel on a dot product of vectors of one width, with a dense mask."""
    value_dim, scale, dtype = value.shape[-1], 1.0, query.dtype
    if isinstance(score, ScaledDot):
        scale = query.shape[-1] ** -0.5
    elif isinstance(score, Cosine):
        query, key = (F.normalize(x.float(), dim=-1).to(dtype) for x in (query, key))
        scale = 1 / score.temperature
    elif isinstance(score, FeatureMapDot):
        query, key = score.feature_map(query), score.feature_map(key)
    else:
        middle = key[:, :, :1].float()
        query, key, value = query.float() - middle, key.float() - middle, value.float()
        query = F.pad(query, (0, 1), value=1.0)
        key = torch.cat([2 * key, -key.square().sum(-1, keepdim=True)], -1)
    width = max(query.shape[-1], value_dim)
    query, key, value = (F.pad(x, (0, width - x.shape[-1])) for x in (query, key, value))
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    if mask is not None:
        q = torch.arange(query.shape[2]).view(-1, 1) + key.shape[2] - query.shape[2]
        mask = mask(torch.tensor(0), torch.tensor(0), q, torch.arange(key.shape[2]))
    output = F.scaled_dot_product_attention(query, key, value, mask, scale=scale)
    return output[..., :value_dim].to(dtype)


def _fused_in_blocks(query: Tensor, key: Tensor, value: Tensor, **parts: Any) -> Tensor:
    """The same for 64 queries at a time, among all keys: the kernel rounds another way."""
    late = key.shape[2] - query.shape[2]

    def block(first: int) -> Tensor:
        def shifted(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            rows = torch.arange(first, first + q.shape[0]).view(-1, 1) + late
            return parts["mask"](b, h, rows, k)

        return _fused(query[:, :, first : first + 64], key, value, **parts | {"mask": shifted})

    return torch.cat([block(first) for first in range(0, query.shape[2], 64)], 2)


def _states(
    query: Tensor, key: Tensor, value: Tensor, score: Any, normalizer: Any, mask: Any
) -> Tensor:
    """Sum keys and values before any query, one query's past at a time."""
    groups = query.shape[1] // key.shape[1]
    query, key = score.feature_map(query), score.feature_map(key).repeat_interleave(groups, 1)
    pairs = key.unsqueeze(-1) * value.repeat_interleave(groups, 1).unsqueeze(-2)
    state, total = pairs.sum(2, keepdim=True), key.sum(2, keepdim=True)
    if mask is not None:
        state, total = pairs.cumsum(2), key.cumsum(2)
    weighted = (query.unsqueeze(-2) @ state).squeeze(-2)
    return weighted / (query * total).sum(-1, keepdim=True)


def _worse(one: Tensor, other: Tensor, golden: Tensor) -> Tensor:
    """Entry by entry; a yardstick that overflows measures nothing."""
    worse = other.isfinite() & ((other - golden).abs() > (one - golden).abs())
    return torch.where(worse, other, one)


def _naive(formula: Callable[..., Tensor], inputs: list[Tensor], parts: Any) -> dict[str, Tensor]:
    leaves = [x.detach().requires_grad_() for x in inputs]
    output = formula(*leaves, **parts)
    gradients = torch.autograd.grad(output, leaves, slope(output), allow_unused=True)
    names = ("query", "key", "value")
    return {"output": output.detach()} | {
        f"gradient of {name}": torch.zeros_like(x) if gradient is None else gradient
        for name, x, gradient in zip(names, leaves, gradients, strict=True)
    }


def check(
    backend: str, sizes: Sizes, dtype: torch.dtype, inputs: str = "unit", **parts: Any
) -> None:
    """Fail unless output and gradients are as near to golden as the rule asks."""
    __tracebackhide__ = True
    parts = {"score": ScaledDot(), "normalizer": softmax, "mask": None} | parts
    drawn = [x.to(dtype) for x in INPUTS[inputs](*tensors(sizes))]
    upstream = slope(drawn[0][..., :1].expand(-1, -1, -1, sizes.value_dim)).double()
    exact = [x.double() for x in drawn]
    golden = evaluate(*exact, upstream, **parts, backend="reference")
    naive = _naive(_written_out, drawn, parts)
    also = {"sdpa": _fused, "packed": _fused, "banded": _fused_in_blocks, "linear": _states}.get(
        backend
    )
    if also is not None:
        other = _naive(also, drawn, parts)
        naive = {name: _worse(naive[name], other[name], golden[name]) for name in naive}
    found = evaluate(*drawn, **parts, backend=backend)
    capped = inputs == "unit" and isinstance(parts["score"], ScaledDot)
    # Features far from zero are large, and what a query's gradient sums up of them cancels out.
    large = inputs == "shifted" and isinstance(parts["score"], FeatureMapDot)
    for name in golden:
        assert_close_to_golden(
            found[name], golden[name], naive[name],
            what=f"{name} ({backend}, {dtype}, {inputs})",
            gradient=name != "output",
            cap=UNIT_NORMAL_CAP if capped and name == "output" else None,
            least=5e-5 if large and name != "output" else 0.0,
        )  # fmt: skip


BACKENDS = ["reference", "chunked", "sdpa", "banded"]


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_is_as_exact_as_its_dtype_allows(
    backend: str, dtype: torch.dtype, inputs: str
) -> None:
    mask = SlidingWindow(40, 3) if backend == "banded" else Causal()
    check(backend, Sizes(2, 4, 2, 128, 128, 64, 64), dtype, inputs, mask=mask)
    check(backend, Sizes(1, 2, 2, 17, 127, 63, 21), dtype, inputs, mask=SlidingWindow(99, 99))


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_documents_are_as_exact_as_their_dtype_allows(dtype: torch.dtype, inputs: str) -> None:
    lengths = torch.tensor([1, 40, 17, 17, 3, 50])
    mask = Document(torch.arange(6).repeat_interleave(lengths))
    for within in (mask, mask & Causal()):
        check("packed", Sizes(2, 4, 2, 128, 128, 64, 64), dtype, inputs, mask=within)


SHAPES = [
    (1, 1, 64, 64), (2, 5, 7, 7), (5, 2, 21, 1), (17, 17, 1, 65), (127, 129, 65, 63),
    (129, 128, 64, 65), (113, 203, 59, 59), (1, 129, 63, 7),
]  # fmt: skip


@all_in_one("shape", SHAPES, ids=str)
@all_in_one("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_odd_lengths_and_widths_are_as_exact(
    backend: str, dtype: torch.dtype, shape: tuple[int, int, int, int]
) -> None:
    check(backend, Sizes(2, 2, 1, *shape), dtype, mask=SlidingWindow(150, 150))
    check(backend, Sizes(2, 2, 1, *shape), dtype, "wide", mask=SlidingWindow(30))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_small_chunks_are_as_exact(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "chunk_rows", lambda call: 7)
    for inputs in INPUTS:
        check("chunked", Sizes(2, 4, 2, 50, 65, 33, 20), dtype, inputs, mask=Causal())


DISGUISES = {
    "cosine": Cosine(0.1),
    "distance": NegativeSquaredDistance(),
    "feature map": FeatureMapDot(),
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("score", DISGUISES)
def test_a_rewritten_score_is_as_exact_as_the_score(
    score: str, dtype: torch.dtype, inputs: str
) -> None:
    for backend in ("reference", "sdpa"):
        check(backend, Sizes(2, 2, 1, 33, 65, 24, 16), dtype, inputs, score=DISGUISES[score])


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mask", [None, Causal()], ids=str)
def test_linear_attention_is_as_exact_as_the_quadratic_form(
    mask: Causal | None, dtype: torch.dtype, inputs: str
) -> None:
    parts = {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": mask}
    check("linear", Sizes(2, 4, 2, 130, 130, 16, 16), dtype, inputs, **parts)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("backend", ["reference", "chunked"])
def test_scores_and_normalizers_without_a_kernel_are_as_exact(
    backend: str, dtype: torch.dtype
) -> None:
    sizes = Sizes(2, 4, 2, 33, 65, 24, 16)
    for inputs in ("unit", "wide", "shifted"):
        for score in (Additive(), InverseDistance()):
            check(backend, sizes, dtype, inputs, score=score, mask=Causal())
        check(backend, sizes, dtype, inputs, normalizer=sigmoid)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sparse_zeros_are_exact_in_every_dtype(dtype: torch.dtype) -> None:
    """A cold sparsemax is the arg max, whatever the dtype."""
    query, key, value = (x.to(dtype) for x in _wide(*tensors(Sizes(2, 4, 2, 33, 65, 24, 16))))
    found = evaluate(query, key, value, score=ScaledDot(30.0), normalizer=sparsemax)["output"]
    scores = query.double() @ key.double().repeat_interleave(2, 1).mT
    best = value.repeat_interleave(2, 1).take_along_dim(scores.argmax(-1, keepdim=True), 2)
    assert torch.equal(found, best)


# Rewritten scores: float32 in between, whatever the inputs


def _rewritten(width: int) -> dict[str, Any]:
    return {
        "Bilinear": Bilinear(width, width),
        "Cosine": Cosine(0.05),
        "ConcatLinear": ConcatLinear(width, width, 40),
        "FeatureMapDot": FeatureMapDot(),
        "Location": Location(width, 40),
        "NegativeSquaredDistance": NegativeSquaredDistance(),
        "ScaledDot learned": ScaledDot(torch.nn.Parameter(torch.tensor(0.3))),
    }


@all_in_one("size", [1.0, 5.0, 300.0])
@all_in_one("width", [8, 64, 128])
@all_in_one("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", list(_rewritten(8)))
def test_a_rewritten_score_in_half_precision_is_float32_rounded_once(
    name: str, dtype: torch.dtype, width: int, size: float
) -> None:
    score = _rewritten(width)[name]
    given = [(size * torch.randn(1, 2, 40, width)).to(dtype) for _ in range(3)]
    upstream = torch.randn(1, 2, 40, width).to(dtype)
    results = []
    for inputs in (given, [x.float() for x in given]):
        inputs = [x.requires_grad_() for x in inputs]
        output = regard.attention(*inputs, score=score, mask=Causal())
        flow = upstream.to(output.dtype)
        results.append((output, *torch.autograd.grad(output, inputs, flow, allow_unused=True)))
    eps = torch.finfo(dtype).eps
    for found, wanted in zip(*results, strict=True):
        if found is None:
            assert wanted is None
            continue
        assert found.dtype == dtype and found.isfinite().all()
        floor = 2 * eps * torch.finfo(dtype).smallest_normal + 1e-6 * wanted.abs().max().item()
        torch.testing.assert_close(found.float(), wanted, rtol=2 * eps, atol=floor)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_bilinear_score_errs_in_half_precision_as_its_definition_does(
    dtype: torch.dtype,
) -> None:
    score = Bilinear(64, 64)
    inputs = [torch.randn(2, 2, 50, 64).to(dtype) for _ in range(3)]
    golden = evaluate(
        *(x.double() for x in inputs), score=copy.deepcopy(score).double(), backend="reference"
    )
    errors = {}
    for backend in (None, "reference"):
        found = evaluate(*inputs, score=score, backend=backend)
        errors[backend] = {
            what: (found[what].double() - golden[what]).abs().max().item()
            for what in ("output", "query", "key", "value")
            if what in found
        }
    for what, error in errors[None].items():
        assert error <= 1.5 * errors["reference"][what] + 1e-6, (what, errors)


def test_the_planner_says_where_a_rewriting_leaves_half_precision() -> None:
    x = torch.randn(1, 2, 8, 16)
    in_half = str(regard.plan(*(x.half(),) * 3, score=Bilinear(16, 16)))
    assert "kept in float32, which float16 would round" in in_half
    assert "kept in float32" not in str(regard.plan(x, x, x, score=Bilinear(16, 16)))
    assert "kept in float32" not in str(regard.plan(*(x.half(),) * 3))


@pytest.mark.parametrize("mod", [ALiBi(2), Chain(ALiBi(2), SoftCap(30.0))], ids=str)
def test_a_score_mod_in_half_precision_is_float32_rounded_once(mod: Any) -> None:
    given = [torch.randn(1, 2, 300, 16).to(torch.bfloat16) for _ in range(3)]
    found = regard.attention(*given, score_mod=mod, mask=Causal())
    wanted = regard.attention(*(x.float() for x in given), score_mod=mod, mask=Causal())
    torch.testing.assert_close(
        found.float(), wanted, rtol=2 * torch.finfo(torch.bfloat16).eps, atol=1e-6
    )
