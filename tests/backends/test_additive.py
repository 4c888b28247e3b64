"""Additive scores by loops: every other part, dead rows, garbage, and what it refuses."""

import copy
from typing import Any

import pytest
import torch

import regard
from regard._backends import _loops, chunked
from regard._kernels.installed import has_loops
from regard.masks import Dense, Padding
from regard.normalizers import softmax, sparsemax
from regard.scores import Additive, ConcatTanhSum, GATv2, LuongConcat, ScaledDot
from tests.parts import (
    MASKS_AND_MODS,
    NORMALIZERS,
    SCORES,
    Sizes,
    mask_and_rule,
    mod_and_rule,
    suits,
    tensors,
)
from tests.probe import assert_same, evaluate

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

OURS = [
    "Additive", "Additive bare", "LuongConcat", "LuongConcat official", "ConcatTanhSum", "GATv2",
    "GATv2 relu",
]  # fmt: skip


def call(
    score: str, normalizer: str = "softmax", mod: str | None = None, mask: str | None = None
) -> tuple[list[torch.Tensor], dict[str, Any]]:
    sizes = Sizes()
    given = {
        "score": SCORES[score](sizes)[0],
        "normalizer": NORMALIZERS[normalizer](sizes)[0],
        "score_mod": mod_and_rule(mod, sizes, 2)[0] if mod else None,
        "mask": mask_and_rule(mask, sizes, 2)[0] if mask else None,
    }
    given = {n: x.float() if isinstance(x, torch.nn.Module) else x for n, x in given.items()}
    return [x.float() for x in tensors(sizes)], given


def assert_equals_reference(*named: Any) -> None:
    __tracebackhide__ = True
    inputs, parts = call(*named)
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts, backend="additive"), wanted, 1e-5)


@pytest.mark.parametrize("score", OURS)
def test_it_equals_the_reference_for_every_score(score: str) -> None:
    assert_equals_reference(score)
    assert_equals_reference(score, "sparsemax", "Bias", "Dense")


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_it_equals_the_reference_for_every_normalizer(normalizer: str) -> None:
    if suits("Additive", normalizer) and "Entmax" not in normalizer:
        assert_equals_reference("Additive", normalizer, None, "Causal")


@pytest.mark.parametrize(("mask", "mod"), MASKS_AND_MODS)
def test_it_equals_the_reference_for_every_mask_and_score_mod(
    mask: str | None, mod: str | None
) -> None:
    assert_equals_reference("Additive", "softmax", mod, mask)


def test_a_few_queries_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "chunk_rows", lambda call: 2)
    assert_equals_reference("Additive", "softmax", "ALiBi", "Causal")


@pytest.mark.parametrize("kind", [Additive, GATv2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_float32_inside(kind: Any, dtype: torch.dtype) -> None:
    score = kind(6, 6, 9)
    query, key, value = (torch.randn(2, 2, n, 6).to(dtype) for n in (5, 7, 7))
    found = regard.attention(query, key, value, score=score, backend="additive")
    exact = regard.attention(query.float(), key.float(), value.float(), score=score)
    assert found.dtype == dtype
    torch.testing.assert_close(found, exact.to(dtype), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("kind", [Additive, GATv2])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38])
def test_what_the_mask_hides_reaches_neither_output_nor_gradient(kind: Any, bad: float) -> None:
    score = kind(4, 4, 7)
    query, key, value = (torch.randn(2, 2, 6, 4) for _ in range(3))
    mask = Padding(torch.tensor([6, 3])) & Dense(torch.rand(6, 6) < 0.7)
    wanted = evaluate(query, key, value, score=score, mask=mask, backend="reference")
    key[1, :, 3:], value[1, :, 3:] = bad, bad
    found = evaluate(query, key, value, score=score, mask=mask, backend="additive")
    assert_same(found, wanted, 1e-5)


@pytest.mark.parametrize("normalizer", [softmax, sparsemax])
@pytest.mark.parametrize("q_len", [1, 5, 40])
@pytest.mark.parametrize("kind", [Additive, LuongConcat, ConcatTanhSum, GATv2])
def test_a_permitted_number_near_the_largest_spoils_no_gradient(
    kind: Any, q_len: int, normalizer: Any
) -> None:
    score = kind(6, 6, 5)
    query, key, value = (torch.randn(1, 2, n, 6) for n in (q_len, 40, 40))
    key[0, 1, 3, 2] = 1e38
    found = []
    for backend, dtype in (("reference", torch.float64), ("additive", torch.float32)):
        part = copy.deepcopy(score).to(dtype)
        leaves = [x.to(dtype).requires_grad_() for x in (query, key, value)]
        output = regard.attention(*leaves, score=part, normalizer=normalizer, backend=backend)
        wanted = [*leaves, *part.parameters()]
        found.append(torch.autograd.grad(output.square().sum(), wanted))
    for exact, one in zip(*found, strict=True):
        assert one.isfinite().all() == exact.isfinite().all()
        torch.testing.assert_close(one, exact.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [Additive, GATv2])
def test_a_query_that_sees_nothing_gives_zeros(kind: Any) -> None:
    score = kind(4, 4, 7)
    query, key, value = (torch.randn(2, 2, 6, 4) for _ in range(3))
    mask = Padding(torch.tensor([0, 5]))
    found = evaluate(query, key, value, score=score, mask=mask, backend="additive")
    assert not found["output"][0].any() and not found["gradient of query"][0].any()
    assert not found["gradient of key"][0].any() and not found["gradient of value"][0].any()


@pytest.mark.parametrize("kind", [Additive, GATv2])
def test_a_nan_that_is_seen_stays_in_its_row(kind: Any) -> None:
    query, key, value = (torch.randn(1, 1, 5, 4) for _ in range(3))
    query[0, 0, 2, 1] = torch.nan
    found = regard.attention(query, key, value, score=kind(4, 4, 7), backend="additive")
    assert found.isnan().all(-1).flatten().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"score": ScaledDot()}, "not a sum over what a query and a key add up to"),
        ({"dtype": torch.float64}, "would round float64"),
        ({"device": "meta"}, "run on a CPU, not on meta"),
    ],
)
def test_it_says_what_it_does_not_serve(given: dict[str, Any], reason: str) -> None:
    x = torch.zeros(1, 1, 2, 3, dtype=given.get("dtype"), device=given.get("device"))
    with pytest.raises(regard.UnsupportedByBackend, match=reason):
        regard.attention(x, x, x, score=given.get("score", Additive()), backend="additive")


@pytest.mark.parametrize(
    ("score", "identity"),
    [
        (Additive(), "tanh(q + k) = 1 - 2 / (1 + exp(2q) exp(2k))"),
        (GATv2(), "LeakyReLU(x) = s x + (1 - s) max(x, 0)"),
    ],
)
def test_the_plan_says_by_which_identity_it_scores(score: Any, identity: str) -> None:
    x = torch.randn(1, 1, 64, 32)
    plan = regard.plan(x, x, x, score=score)
    assert plan.backend == "additive" and f"rewritten: {identity}" in str(plan)


def test_without_numba_the_plan_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loops, "has_loops", lambda: False)
    x = torch.randn(1, 1, 64, 32)
    plan = regard.plan(x, x, x, score=Additive())
    assert plan.backend == "chunked" and 'pip install "regard[cpu]"' in str(plan)


# Torch's own transforms import a part of torch that warns of its own age.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    "score",
    [Additive(8, 8, 16), LuongConcat(8, 8, 16), ConcatTanhSum(8, 8, 16), GATv2(8, 8, 16)],
)
def test_a_transform_takes_the_definition(score: Any) -> None:
    query, key, value = (torch.randn(3, 1, 2, 5, 8) for _ in range(3))

    def attend(*inputs: torch.Tensor) -> torch.Tensor:
        return regard.attention(*inputs, score=score)

    mapped = torch.func.vmap(attend)(query, key, value)
    for n in range(3):
        torch.testing.assert_close(mapped[n], attend(query[n], key[n], value[n]))
    torch.func.jvp(attend, (query[0], key[0], value[0]), (query[1], key[1], value[1]))


def test_dropout_drops_the_weights_that_chunks_drop() -> None:
    query, key, value = (torch.randn(1, 2, 40, 8) for _ in range(3))
    found = []
    for backend in ("additive", "chunked"):
        torch.manual_seed(0)
        found.append(
            regard.attention(query, key, value, score=Additive(), dropout=0.4, backend=backend)
        )
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("q_len", [2, 20])
def test_several_gradients_at_once_are_those_of_the_definition(q_len: int) -> None:
    query, key, value = (torch.randn(1, 2, n, 6, requires_grad=True) for n in (q_len, 9, 9))
    inputs, upstream = [query, key, value], torch.randn(3, 1, 2, q_len, 6)
    output = regard.attention(*inputs, score=Additive(), backend="additive")
    found = torch.autograd.grad(output, inputs, upstream, True, is_grads_batched=True)
    for n, one in enumerate(upstream):
        wanted = torch.autograd.grad(output, inputs, one, retain_graph=True)
        for several, alone in zip(found, wanted, strict=True):
            torch.testing.assert_close(several[n], alone)


class _Labelled(torch.Tensor):
    pass


def test_subclasses_of_tensors_are_left_to_others() -> None:
    x = torch.randn(1, 1, 20, 6)
    other = x.as_subclass(_Labelled)
    with pytest.raises(regard.UnsupportedByBackend, match="not subclasses"):
        regard.attention(x, other, x, score=Additive(), backend="additive")
    score = Additive(6, 6, 4)
    plain = regard.attention(x, x, x, score=score)
    score.v = torch.nn.Parameter(score.v.detach().as_subclass(_Labelled))
    assert regard.plan(x, x, x, score=score).backend == "chunked"
    torch.testing.assert_close(regard.attention(x, x, x, score=score), plain)


@pytest.mark.parametrize("q_len", [2, 20])
def test_numbers_that_are_negated_when_read_are_read_so(q_len: int) -> None:
    x = [torch.randn(1, 2, n, 6) for n in (q_len, 9, 9)]
    wanted = regard.attention(*x, score=Additive(), backend="additive")
    for at in range(3):
        given = [torch._neg_view(-one) if i == at else one for i, one in enumerate(x)]
        found = regard.attention(*given, score=Additive(), backend="additive")
        assert torch.equal(found, wanted)
