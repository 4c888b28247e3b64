"""Additive attention of any length by one call each way: near the definition, whatever is met."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _tanh_softmax, chunked
from regard._kernels import slices, tanh_blocks
from regard._kernels.installed import has_loops
from regard.masks import Causal, Dense, Padding, SlidingWindow
from regard.scores import Additive
from tests.backends.test_additive_steps import drawn, step
from tests.probe import assert_same, evaluate
from tests.tolerance import assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SIZES = [
    (1, 1, 1, 17, 1, 1, 1), (2, 4, 2, 18, 33, 7, 21), (1, 2, 1, 113, 203, 63, 64),
    (2, 1, 1, 127, 128, 64, 111), (1, 1, 1, 129, 127, 257, 1), (1, 1, 1, 600, 70, 5, 8),
]  # fmt: skip
"""Batch, heads, heads of keys, queries, keys, width and width of values."""

MASKS: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "none": lambda s: None,
    "causal": lambda s: Causal(),
    "padding": lambda s: Padding(torch.arange(s[0]) * s[4] // 2),
    "window": lambda s: SlidingWindow(3),
    "dense": lambda s: Dense(torch.rand(s[0], s[1], s[3], s[4]) < 0.3),
    "columns": lambda s: Dense((torch.rand(s[0], 1, s[4], s[3]) < 0.6).mT),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def assert_near(inputs: list[Tensor], score: Additive, mask: Any = None) -> None:
    __tracebackhide__ = True
    found = evaluate(*inputs, score=score, mask=mask, backend="additive")
    naive = evaluate(*inputs, score=score, mask=mask, backend="reference")
    exact = [x.double() for x in inputs]
    golden = evaluate(*exact, score=score.double(), mask=mask, backend="reference")
    for what, mine in found.items():
        limit = 1.5e-7 * max(1.0, golden[what].abs().max().item())
        assert_close_to_golden(
            mine.float(), golden[what], naive[what].float(), what=what,
            gradient=what != "output", least=limit,
        )  # fmt: skip


@pytest.mark.parametrize("spread", [1.0, 5.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_as_near_the_definition_as_what_is_written_out(
    size: tuple[int, ...], spread: float
) -> None:
    assert_near([spread * x for x in drawn(size)], Additive(hidden_dim=size[5]))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("size", [SIZES[1], SIZES[3]], ids=str)
def test_every_mask_is_that_of_the_reference(size: tuple[int, ...], mask: str) -> None:
    inputs, score, given = drawn(size), Additive(size[5], size[5], 9), MASKS[mask](size)
    wanted = evaluate(*inputs, score=score, mask=given, backend="reference")
    assert_same(evaluate(*inputs, score=score, mask=given, backend="additive"), wanted, 1e-5)


@pytest.mark.parametrize("far", [43.4, 43.6, 90.0, 1e4, 1e30])
def test_far_queries_and_keys_are_exact_also_where_they_cancel(far: float) -> None:
    query, key, value = drawn((1, 3, 3, 40, 37, 20, 5))
    query, key = query / 8, key / 8
    query[:, :2, 3::7] += far
    key[:, 1:, ::5] -= far
    assert_near([query, key, value], Additive(hidden_dim=20), MASKS["dense"]((1, 3, 3, 40, 37)))


def test_units_that_are_saturated_keep_their_digits() -> None:
    query, key, value = drawn((1, 1, 1, 40, 50, 64, 8))
    query[..., ::2] += 9.0
    query[..., 1::4] -= 9.0
    assert_near([query, key, value], Additive(hidden_dim=64))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38])
def test_what_the_mask_hides_reaches_neither_output_nor_gradient(bad: float) -> None:
    query, key, value = drawn((2, 2, 2, 40, 50, 6, 5))
    mask = Padding(torch.tensor([41, 0])) & Dense(torch.rand(40, 50) < 0.7)
    score = Additive(6, 6, 9)
    wanted = evaluate(query, key, value, score=score, mask=mask, backend="reference")
    key[0, :, 41:], value[0, :, 41:], key[1], value[1], query[1] = bad, bad, bad, bad, bad
    found = evaluate(query, key, value, score=score, mask=mask, backend="additive")
    assert_same(found, wanted, 1e-5)
    assert not found["output"][1].any() and not found["gradient of key"][1].any()


def test_values_whose_products_overflow_stay_with_the_queries_that_see_them() -> None:
    query, key, value = drawn((1, 1, 1, 40, 50, 6, 5))
    value[:, :, 7] = 3e38
    open_pairs = torch.ones(40, 50, dtype=torch.bool)
    open_pairs[:20, 7] = False
    given = {"score": Additive(6, 6, 9), "mask": Dense(open_pairs), "backend": "additive"}
    leaves = [x.requires_grad_() for x in (query, key, value)]
    output = regard.attention(*leaves, **given)
    upstream = torch.full_like(output, 1e3)
    upstream[:, :, 20:] = 0
    found = torch.autograd.grad(output, leaves, upstream)
    assert output[:, :, :20].isfinite().all() and found[0][:, :, :20].isfinite().all()


def test_a_nan_that_is_seen_stays_in_its_row() -> None:
    query, key, value = drawn((1, 1, 1, 40, 5, 6, 4))
    query[0, 0, 33, 1] = torch.nan
    found = step(query, key, value).isnan().all(-1).flatten()
    assert found.nonzero().flatten().tolist() == [33]
    query, key, value = drawn((1, 1, 1, 40, 5, 6, 4))
    key[0, 0, 2, 1] = torch.nan
    assert step(query, key, value).isnan().all()


def test_vectors_may_lie_in_any_order() -> None:
    inputs = drawn((3, 2, 2, 34, 40, 10, 8))
    plain = evaluate(*inputs, score=Additive(), backend="additive")
    for axes in ((2, 0, 1, 3), (0, 3, 2, 1), (1, 2, 0, 3)):
        back = torch.argsort(torch.tensor(axes)).tolist()
        odd = [x.permute(axes).contiguous().permute(back) for x in inputs]
        for what, found in evaluate(*odd, score=Additive(), backend="additive").items():
            assert torch.equal(found, plain[what])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_float32_inside(dtype: torch.dtype) -> None:
    inputs = [x.to(dtype) for x in drawn((1, 2, 2, 40, 50, 6, 5))]
    exact = regard.attention(*(x.float() for x in inputs), score=Additive(), backend="reference")
    torch.testing.assert_close(step(*inputs), exact.to(dtype), rtol=1e-2, atol=1e-3)


def test_second_derivatives_are_those_of_the_definition() -> None:
    inputs = [x.requires_grad_() for x in drawn((1, 2, 1, 18, 4, 3, 2))]
    second = []
    for backend in ("additive", "reference"):
        output = regard.attention(*inputs, score=Additive(), backend=backend)
        first = torch.autograd.grad(output.square().sum(), inputs, create_graph=True)
        second.append(torch.autograd.grad(sum(x.square().sum() for x in first), inputs))
    for found, wanted in zip(*second, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_chunks_of_queries_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, mask = drawn((2, 2, 1, 60, 70, 12, 9)), Causal()
    wanted = evaluate(*inputs, score=Additive(), mask=mask, backend="additive")
    monkeypatch.setattr(chunked, "chunk_rows", lambda call: 23)
    assert_same(evaluate(*inputs, score=Additive(), mask=mask, backend="additive"), wanted, 1e-5)


@pytest.mark.parametrize("size", [(3, 2, 1, 150, 100, 40, 20), (1, 1, 1, 1100, 60, 20, 33)])
def test_the_number_of_threads_changes_no_bit(
    size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 1)
    inputs, threads, found = drawn(size), torch.get_num_threads(), []
    try:
        for count in (1, 2, 16):
            torch.set_num_threads(count)
            torch.manual_seed(1)
            found.append(evaluate(*inputs, score=Additive(), mask=Causal(), backend="additive"))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        for what, one in found[0].items():
            assert torch.equal(one, others[what])


def test_parts_that_change_before_the_backward_pass_are_an_error() -> None:
    query, key, value = (x.requires_grad_() for x in drawn((1, 1, 1, 20, 5, 6, 4)))
    score = Additive(hidden_dim=6)
    output = step(query, key, value, score=score).sum()
    with torch.no_grad():
        score.v.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


@pytest.mark.parametrize("q_len", [1, 12, 40])
def test_nothing_is_kept_of_an_output_that_is_gone(q_len: int) -> None:
    gc.disable()  # what only a search for cycles finds is kept for long
    try:
        output = step(*(x.requires_grad_() for x in drawn((1, 1, 1, q_len, 5, 6, 4))))
        gone = weakref.ref(output)
        del output
        assert gone() is None
    finally:
        gc.enable()


def test_it_serves_all_lengths_and_long_calls_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    served = []
    monkeypatch.setattr(
        tanh_blocks,
        "attend",
        lambda *given, real=tanh_blocks.attend: served.append(1) or real(*given),
    )
    for q_len in (_tanh_softmax.FEW, _tanh_softmax.FEW + 1):
        step(*drawn((1, 1, 1, q_len, 9, 6, 4)))
    assert len(served) == 1
