"""A decoder's step by one call each way: the definition, and exponentials that are kept rightly."""

import gc
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends import _pair_scores
from regard._kernels import kept
from regard._kernels.installed import has_loops
from regard.masks import Dense, Padding
from regard.normalizers import Softmax
from regard.scores import Additive, GATv2
from tests.probe import assert_same, evaluate

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SIZES = [
    (1, 1, 1, 1, 1, 1, 1),
    (3, 4, 2, 2, 5, 7, 3),
    (2, 6, 2, 8, 31, 63, 65),
    (1, 1, 1, 1, 2, 64, 1),
]
"""Batch, heads, heads of keys, queries, keys, width and width of values."""


def drawn(size: tuple[int, ...]) -> list[Tensor]:
    batch, heads, kv_heads, q_len, k_len, width, value_dim = size
    return [
        torch.randn(batch, heads, q_len, width),
        torch.randn(batch, kv_heads, k_len, width),
        torch.randn(batch, kv_heads, k_len, value_dim),
    ]


def step(query: Tensor, key: Tensor, value: Tensor, **given: Any) -> Tensor:
    return regard.attention(query, key, value, **{"score": Additive(), **given}, backend="additive")


@pytest.mark.parametrize("masked", [None, "padding", "dense"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_step_equals_the_reference(size: tuple[int, ...], masked: str | None) -> None:
    inputs, batch = drawn(size), size[0]
    score = Additive(size[5], None, size[5])
    mask: Any = {
        None: None,
        "padding": Padding(torch.arange(batch).clamp(max=size[4])),
        "dense": Dense(torch.rand(batch, size[1], size[3], size[4]) < 0.5),
    }[masked]
    wanted = evaluate(*inputs, score=score, mask=mask, backend="reference")
    assert_same(evaluate(*inputs, score=score, mask=mask, backend="additive"), wanted, 1e-5)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("temperature", [0.3, 4.0])
@pytest.mark.parametrize("q_len", [2, 33])
def test_softmax_has_a_temperature(q_len: int, temperature: float, learned: bool) -> None:
    query, key, value = drawn((3, 4, 2, q_len, 5, 7, 3))
    of_softmax: Any = nn.Parameter(torch.tensor([temperature])) if learned else temperature
    given = {"score": Additive(7, None, 7), "normalizer": Softmax(of_softmax)}
    assert _pair_scores.is_fused(regard.plan(query, key, value, **given, backend="additive").call)
    wanted = evaluate(query, key, value, **given, backend="reference")
    assert_same(evaluate(query, key, value, **given, backend="additive"), wanted, 1e-5)
    if learned:
        found = []
        for backend in ("additive", "reference"):
            output = regard.attention(query, key, value, **given, backend=backend)
            found.append(torch.autograd.grad(output.square().sum(), of_softmax)[0])
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("far", [50.0, 1e4])
def test_a_step_among_far_keys_equals_the_reference(far: float) -> None:
    query, key, value = drawn((2, 2, 1, 3, 9, 20, 5))
    key[:, :, ::2] *= far
    wanted = evaluate(query, key, value, score=Additive(), backend="reference")
    assert_same(evaluate(query, key, value, score=Additive(), backend="additive"), wanted, 1e-5)


def test_values_may_lie_in_any_order() -> None:
    query, key, value = drawn((3, 2, 2, 1, 6, 10, 8))
    plain = evaluate(query, key, value, score=Additive(), backend="additive")
    for axes in ((2, 0, 1, 3), (0, 3, 2, 1), (1, 2, 0, 3)):
        back = torch.argsort(torch.tensor(axes)).tolist()
        odd = value.permute(axes).contiguous().permute(back)
        assert_same(evaluate(query, key, odd, score=Additive(), backend="additive"), plain, 1e-6)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38])
def test_a_step_does_not_look_at_what_is_hidden(bad: float) -> None:
    query, key, value = drawn((2, 1, 1, 2, 7, 6, 5))
    mask, score = Padding(torch.tensor([4, 0])), Additive(6, 6, 9)
    wanted = evaluate(query, key, value, score=score, mask=mask, backend="reference")
    key[0, :, 4:], value[0, :, 4:], key[1], value[1], query[1] = bad, bad, bad, bad, bad
    assert_same(
        evaluate(query, key, value, score=score, mask=mask, backend="additive"), wanted, 1e-5
    )
    with torch.no_grad():
        found = step(query, key, value, mask=mask, score=score)
    assert_same({"output": found}, {"output": wanted["output"]}, 1e-5)


def test_a_gradient_to_a_query_that_sees_nothing_goes_no_further() -> None:
    query, key, value = (x.requires_grad_() for x in drawn((2, 1, 1, 1, 4, 6, 5)))
    upstream = torch.randn(2, 1, 1, 5)
    upstream[1] = torch.nan
    output = step(query, key, value, mask=Padding(torch.tensor([3, 0])))
    assert all(
        x.isfinite().all() for x in torch.autograd.grad(output, (query, key, value), upstream)
    )


def test_second_derivatives_are_those_of_the_definition() -> None:
    inputs = [x.requires_grad_() for x in drawn((1, 2, 1, 2, 4, 3, 2))]
    second = []
    for backend in ("additive", "reference"):
        output = regard.attention(*inputs, score=Additive(), backend=backend)
        first = torch.autograd.grad(output.square().sum(), inputs, create_graph=True)
        second.append(torch.autograd.grad(sum(x.square().sum() for x in first), inputs))
    for found, wanted in zip(*second, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_exponentials_are_taken_once_for_keys_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(kept, "taken", lambda key, real=kept.taken: taken.append(1) or real(key))
    query, key, value = drawn((2, 1, 1, 1, 7, 6, 5))
    for _ in range(3):
        step(torch.randn_like(query), key, value)
    assert len(taken) == 1


def test_keys_that_are_written_into_are_looked_at_again() -> None:
    query, key, value = drawn((2, 1, 1, 1, 7, 6, 5))
    step(query, key, value)
    key[:, :, 3] = 5.0
    wanted = regard.attention(query, key, value, score=Additive(), backend="reference")
    torch.testing.assert_close(step(query, key, value), wanted)
    with torch.inference_mode():
        inner = key.clone()
        for _ in range(2):
            inner.mul_(0.5)
            wanted = regard.attention(query, inner, value, score=Additive(), backend="reference")
            torch.testing.assert_close(step(query, inner, value), wanted)


def test_keys_whose_memory_is_exchanged_are_looked_at_again() -> None:
    query, key, value = drawn((2, 1, 1, 1, 7, 6, 5))
    step(query, key, value)
    key.data = torch.randn_like(key)
    wanted = regard.attention(query, key, value, score=Additive(), backend="reference")
    torch.testing.assert_close(step(query, key, value), wanted)


def test_nothing_is_kept_of_keys_that_are_gone() -> None:
    query, key, value = drawn((2, 1, 1, 1, 7, 6, 5))
    step(query, key, value)
    number = id(key)
    assert number in kept._KEPT
    del key
    gc.collect()
    assert number not in kept._KEPT


def test_eight_threads_at_once_get_their_own_answers() -> None:
    given = [drawn((2, 1, 1, 1, 20, 30, 10)) for _ in range(8)]
    wanted = [step(*one) for one in given]
    wrong = []

    def work(n: int) -> None:
        for _ in range(50):
            if not torch.equal(step(*given[n]), wanted[n]):
                wrong.append(n)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_the_planner_takes_a_step_as_one_and_the_rest_by_chunks() -> None:
    query, key, value = drawn((2, 1, 1, 1, 30, 128, 16))
    plan = regard.plan(query, key, value, score=Additive())
    assert plan.backend == "additive" and _pair_scores.is_step(plan.call)
    many = query.expand(2, 1, 9, 128)
    assert not _pair_scores.is_step(regard.plan(many, key, value, score=Additive()).call)
    leaky = regard.plan(query, key, value, score=GATv2(128, 128, 16), backend="additive")
    assert not _pair_scores.is_step(leaky.call)
