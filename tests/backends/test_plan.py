"""The plan says what will run and why nothing else does, and then that is what runs."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import regard
from regard._backends import _memo, _plan, _rates
from regard._backends._rates import rates_of
from regard._kernels.installed import has_loops
from regard.masks import Block, Causal, Dense, Document, Padding, SlidingWindow
from regard.normalizers import Entmax, Softmax, TopK, divide_by_sum, hard, softmax, sparsemax
from regard.score_mods import ALiBi, SoftCap
from regard.scores import (
    Additive,
    Bilinear,
    Cosine,
    FeatureMapDot,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.parts import shown


@pytest.fixture(autouse=True)
def one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as on a machine where our own loops were not measured, whichever this one is."""
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: _rates.RATES["AuthenticAMD AVX2"])
    _memo.forget()


CHOSEN: list[tuple[str, dict[str, Any]]] = [
    ("sdpa", {}),
    ("sdpa", {"mask": Causal()}),
    ("sdpa", {"score": Bilinear(8, 8)}),
    ("sdpa", {"score": NegativeSquaredDistance(), "normalizer": Softmax(2.0)}),
    ("sdpa", {"score_mod": ALiBi(4), "mask": Causal()}),
    ("sdpa", {"mask": SlidingWindow(500)}),
    ("sdpa", {"dropout": 0.1}),
    ("banded", {"mask": SlidingWindow(16)}),
    ("banded", {"mask": Causal() & Block(32), "score": Cosine(0.1)}),
    ("banded", {"mask": SlidingWindow(8, 8) & Padding(torch.tensor([512, 100]))}),
    ("packed", {"mask": Document(torch.arange(512) // 40)}),
    ("packed", {"mask": Document(torch.arange(1024).view(2, 512) // 100) & Causal()}),
    ("linear", {"score": FeatureMapDot(), "normalizer": divide_by_sum}),
    ("linear", {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()}),
    ("chunked", {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": SlidingWindow(3)}),
    ("additive", {"score": Additive()}),
    ("chunked", {"score_mod": SoftCap(2.0)}),
    ("chunked", {"normalizer": sparsemax, "dropout": 0.1}),
    ("sparse", {"normalizer": sparsemax}),
    ("sparse", {"normalizer": hard, "score": Cosine()}),
    ("sparse", {"normalizer": TopK(8), "mask": Causal(), "score_mod": SoftCap(2.0)}),
    ("chunked", {"score": lambda q, k: q @ k.mT}),
]


@pytest.mark.parametrize(("backend", "parts"), CHOSEN, ids=shown)
def test_the_planner_takes_the_backend_that_is_the_fastest(
    backend: str, parts: dict[str, Any]
) -> None:
    x = torch.randn(2, 4, 512, 8)
    plan = regard.plan(x, x, x, **parts)
    assert plan.backend == backend
    assert set(plan.refused) == set(_plan.BACKENDS) - {backend}
    assert all(reasons and all(reasons) for reasons in plan.refused.values())


@pytest.mark.parametrize(("backend", "parts"), CHOSEN, ids=shown)
def test_what_the_plan_says_is_what_runs(
    backend: str, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(2, 4, 512, 8)
    ran = []
    for name, module in _plan.BACKENDS.items():

        def run(call: Any, name: str = name, inner: Any = module.run) -> torch.Tensor:
            ran.append(name)
            return inner(call)

        monkeypatch.setattr(module, "run", run)
    regard.attention(x, x, x, **parts)
    assert ran[0] == backend and ran[1:] in ([], ["chunked"])  # to which another may turn


def test_a_plan_reads_like_explain() -> None:
    x = torch.randn(2, 4, 512, 8)
    mask = SlidingWindow(16) & Causal()
    text = str(regard.plan(x, x, x, score=Cosine(0.1), mask=mask, q_offset=3))
    for piece in (
        "query [2, 4, 512, 8]", "float32 on cpu", "Cosine(temperature=0.1)", repr(mask),
        "normalizer softmax", "q_offset 3", "-> banded", "s predicted", "FLOP", "B moved", "B peak",
        "rewritten", "unit vectors", "the score is Cosine", "not sdpa: it could serve (",
        "but it waits for a compiler", "but it holds all pairs at once",
    ):  # fmt: skip
        assert piece in text, text
    assert "chosen by order" not in text


def test_a_plan_without_measured_rates_says_that_the_order_decides() -> None:
    x = torch.empty(2, 4, 512, 8, device="meta")
    plan = regard.plan(x, x, x, mask=SlidingWindow(16))
    assert plan.backend == "banded" and plan.seconds == {}
    assert "no measured rates for meta; chosen by order" in str(plan)
    assert "predicted" not in str(plan)
    assert regard.plan(x, x, x, mask=SlidingWindow(300)).backend == "sdpa"


def test_a_plan_of_a_named_backend_says_that_it_was_asked_for() -> None:
    x = torch.randn(2, 4, 512, 8)
    plan = regard.plan(x, x, x, backend="chunked")
    assert plan.backend == "chunked"
    assert plan.seconds["chunked"] > plan.seconds["sdpa"]
    assert "'chunked' was asked for" in plan.refused["sdpa"][0]
    with pytest.raises(regard.UnsupportedByBackend, match="no mask bounds"):
        regard.plan(x, x, x, backend="banded")


def test_costs_grow_as_the_work_does() -> None:
    def cost(length: int, **parts: Any) -> Any:
        x = torch.empty(1, 2, length, 16, device="meta")
        return regard.plan(x, x, x, **parts)

    for parts in ({}, {"normalizer": Entmax()}):
        assert 3.9 < cost(4096, **parts).flops / cost(2048, **parts).flops < 4.1
    window = {"mask": SlidingWindow(64), "backend": "banded"}
    assert 1.9 < cost(4096, **window).flops / cost(2048, **window).flops < 2.1
    assert cost(4096, **window).peak_bytes < 0.1 * cost(4096, backend="reference").peak_bytes
    assert cost(4096, backend="chunked").peak_bytes < cost(4096, backend="reference").peak_bytes
    linear = {"score": FeatureMapDot(), "normalizer": divide_by_sum}
    assert 1.9 < cost(4096, **linear).flops / cost(2048, **linear).flops < 2.1
    for name, parts in itertools.product(_plan.BACKENDS, ({}, window)):
        if name in ("sdpa", "reference", "chunked"):
            plan = cost(64, **{**parts, "backend": name})
            assert plan.flops > 0
            assert plan.bytes >= 4 * 4 * 2 * 64 * 16
            assert plan.peak_bytes >= 4 * 2 * 64 * 16


@given(data=st.data())
def test_no_backend_that_serves_without_a_reservation_is_predicted_to_be_faster(
    data: st.DataObject,
) -> None:
    def one_of(*values: Any) -> Any:
        return data.draw(st.sampled_from(values))

    lead, lengths = (
        one_of((1, 2), (3, 4)),
        (one_of(1, 7, 64, 300, 2048), one_of(1, 9, 96, 700, 2048)),
    )
    dtype = one_of(torch.float16, torch.bfloat16, torch.float32, torch.float64)
    query, key = (torch.zeros(*lead, n, 1, dtype=dtype).expand(*lead, n, 32) for n in lengths)
    score, normalizer = one_of(
        (ScaledDot(), softmax), (Cosine(), Softmax(0.5)), (FeatureMapDot(), softmax),
        (FeatureMapDot(), divide_by_sum), (NegativeSquaredDistance(), softmax),
        (ScaledDot(), sparsemax),
    )  # fmt: skip
    parts = {
        "score": score, "normalizer": normalizer, "score_mod": one_of(None, None, ALiBi(lead[1])),
        "mask": one_of(None, Causal(), SlidingWindow(5), SlidingWindow(90, 9), Block(16)),
        "dropout": one_of(0.0, 0.0, 0.5),
    }  # fmt: skip
    plan = regard.plan(query, key, key, **parts)
    rates = rates_of(plan.call)
    assert rates is not None
    free = {
        name: backend.seconds(plan.call, rates)
        for name, backend in _plan.BACKENDS.items()
        if not [*backend.refusals(plan.call), *backend.reservations(plan.call)]
    }
    assert plan.seconds[plan.backend] == min(free.values())
    assert plan.backend == next(name for name in free if free[name] == min(free.values()))
    assert all(math.isfinite(seconds) and seconds > 0 for seconds in plan.seconds.values())


def test_planning_asks_nothing_of_the_numbers() -> None:
    x = torch.full((2, 4, 512, 8), float("nan"))
    assert (
        regard.plan(x, x, x, mask=Dense(torch.ones(512, 512, dtype=torch.bool))).backend == "sdpa"
    )
    assert regard.plan(x, x, x, score=ScaledDot(1e38)).backend == "sdpa"


OWN_LOOPS: list[tuple[str, dict[str, Any]]] = [
    ("blocked", {}),
    ("blocked", {"mask": Causal()}),
    ("blocked", {"mask": Padding(torch.tensor([512, 100])) & Causal()}),
    ("blocked", {"score": Cosine()}),
    ("blocked", {"dropout": 0.1}),
    ("blocked", {"score_mod": ALiBi(4)}),
    ("blocked", {"mask": SlidingWindow(16)}),
    ("blocked", {"mask": Document(torch.arange(512) // 100)}),
    ("blocked", {"mask": Padding(keep=torch.arange(512) < torch.tensor([[512], [300]]))}),
]


@pytest.mark.skipif(not has_loops(), reason="Numba is not installed")
@pytest.mark.parametrize(("backend", "parts"), OWN_LOOPS, ids=shown)
def test_our_own_loops_are_taken_where_they_were_measured_to_be_faster(
    backend: str, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, one = torch.randn(2, 4, 512, 64), torch.randn(2, 4, 1, 64)
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: _rates.RATES["AuthenticAMD AVX512"])
    assert regard.plan(x, x, x, **parts).backend == backend
    if backend == "blocked":
        if parts.get("mask") != SlidingWindow(16):  # of which one query meets few keys
            assert regard.plan(one, x, x, **parts).backend != "blocked"
        assert regard.plan(x[:, :, :8], x[:, :, :8], x[:, :, :8]).backend == "sdpa"
        assert regard.plan(*[x.double()] * 3, **parts).backend != "blocked"


def test_a_plan_says_where_loops_were_not_measured() -> None:
    x = torch.randn(2, 4, 512, 64)
    plan = regard.plan(x, x, x)
    if has_loops():
        assert "was not measured: regard bench --tune does" in plan.refused["blocked"][0]
        assert "blocked" not in plan.seconds
