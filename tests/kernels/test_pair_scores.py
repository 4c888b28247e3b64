"""Sums over what queries and keys add up to: as near the definition as what is written out."""

import math
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

import regard
from regard._backends._leaky_scores import leaky_scores_of
from regard._backends._tanh_scores import tanh_scores_of
from regard._kernels import leaky_scores, slices
from regard._kernels.installed import has_loops
from regard.scores import Additive
from regard.scores.additive import tanh_sum
from regard.scores.gatv2 import leaky_sum
from tests.tolerance import assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")


class Rule(NamedTuple):
    """What the loops compute, and what they stand for."""

    scores: Callable[..., Tensor]
    definition: Callable[..., Tensor]


def leaky(slope: float) -> Rule:
    return Rule(
        lambda q, k, v: leaky_scores_of(q, k, v, slope), lambda q, k, v: leaky_sum(q, k, v, slope)
    )


@pytest.fixture(params=["tanh", "leaky", "relu", "linear"])
def rule(request: pytest.FixtureRequest) -> Rule:
    return {
        "tanh": Rule(tanh_scores_of, tanh_sum),
        "leaky": leaky(0.2),
        "relu": leaky(0.0),
        "linear": leaky(1.0),
    }[request.param]


SIZES = [
    (1, 1, 1, 1, 1), (2, 1, 5, 2, 7), (1, 2, 17, 33, 257), (2, 2, 113, 203, 21),
    (1, 1, 128, 129, 63), (1, 1, 127, 5, 111), (3, 1, 1, 31, 600), (1, 1, 2, 1, 64),
]  # fmt: skip
"""Batch, heads, queries, keys and width."""


def drawn(size: tuple[int, ...], spread: float = 1.0) -> list[Tensor]:
    batch, heads, q_len, k_len, width = size
    query, key = torch.randn(batch, heads, q_len, width), torch.randn(batch, heads, k_len, width)
    return [query * spread, key * spread, torch.randn(width)]


def all_of(scores, inputs: list[Tensor], upstream: Tensor) -> list[Tensor]:  # type: ignore[no-untyped-def]
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    output = scores(*leaves)
    return [output, *torch.autograd.grad(output, leaves, upstream)]


def assert_near(rule: Rule, inputs: list[Tensor], least: float = 0.0) -> None:
    __tracebackhide__ = True
    upstream = torch.randn(*inputs[0].shape[:3], inputs[1].shape[2])
    found = all_of(rule.scores, inputs, upstream)
    naive = all_of(rule.definition, inputs, upstream)
    golden = all_of(rule.definition, [x.double() for x in inputs], upstream.double())
    names = ("scores", "query", "key", "v")
    for name, mine, exact, written in zip(names, found, golden, naive, strict=True):
        # A sum is as exact as its numbers, each within two roundings, however good PyTorch's are.
        size = exact.abs().max().item()
        if name == "scores":
            size = max(size, inputs[-1].abs().sum().item())
        limit = max(least, 1.5e-7 * max(1.0, size))
        assert_close_to_golden(
            mine, exact, written, what=name, gradient=name != "scores", least=limit
        )


@pytest.mark.parametrize("spread", [1.0, 5.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_and_gradients_are_as_near_as_those_written_out(
    rule: Rule, size: tuple[int, ...], spread: float
) -> None:
    assert_near(rule, drawn(size, spread))


@pytest.mark.parametrize("far", [30.0, 43.4, 43.6, 50.0, 90.0, 1e4, 1e30])
def test_far_numbers_are_exact_also_where_they_cancel(rule: Rule, far: float) -> None:
    query, key, v = drawn((1, 2, 17, 33, 40))
    signs = (torch.randn_like(query).sign(), torch.randn_like(key).sign())
    assert_near(rule, [query / 8 + far * signs[0], key / 8 + far * signs[1], v])


def test_what_queries_and_keys_have_too_much_of_each_cancels(rule: Rule) -> None:
    query, key, v = drawn((2, 1, 40, 37, 30))
    assert_near(rule, [query + 1000.0, key - 1000.0, v])


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_the_slope_at_zero_is_that_below_it(slope: float) -> None:
    query, key, v = drawn((1, 1, 3, 5, 7))
    key[:, :, 1], query[:, :, 2], key[:, :, 4] = -query[:, :, 0], 0.0, -0.0
    scores, definition = leaky(slope)
    upstream = torch.randn(1, 1, 3, 5)
    wanted = all_of(definition, [query, key, v], upstream)
    for mine, theirs in zip(all_of(scores, [query, key, v], upstream), wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("which", [0, 1])
def test_a_far_key_beside_a_near_one_is_exact(rule: Rule, which: int) -> None:
    query, key = torch.full((1, 1, 2, 8), 43.0), torch.full((1, 1, 2, 8), -42.5)
    key[:, :, which] = -46.0
    assert_near(rule, [query, key, torch.randn(8)])
    value = torch.randn(1, 1, 2, 8)
    found = regard.attention(query, key, value, score=Additive(), backend="additive")
    wanted = regard.attention(query, key, value, score=Additive(), backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_one_far_row_leaves_the_others_as_they_are(rule: Rule) -> None:
    query, key, v = drawn((1, 1, 9, 12, 33))
    wanted = rule.scores(query, key, v)
    key[0, 0, 3], query[0, 0, 4] = 1e38, -60.0
    found = rule.scores(query, key, v)
    rows, columns = torch.arange(9) != 4, torch.arange(12) != 3
    same = rows[:, None] & columns
    torch.testing.assert_close(found[0, 0][same], wanted[0, 0][same], rtol=0, atol=5e-6)
    torch.testing.assert_close(found, rule.definition(query, key, v), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(rule: Rule, bad: float) -> None:
    query, key, v = drawn((1, 1, 5, 7, 19))
    query[0, 0, 2, 3], key[0, 0, 4, 3] = bad, bad
    found, wanted = rule.scores(query, key, v), rule.definition(query, key, v)
    # 0 times an infinity is no number in torch's ReLU, and zero in ours.
    wanted = torch.where(wanted.isnan() & found.isfinite() & (bad < 0), found, wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_infinities_that_cancel_are_no_number(rule: Rule) -> None:
    query, key, v = drawn((1, 1, 2, 2, 5))
    query[0, 0, 0, 1], key[0, 0, 1, 1] = torch.inf, -torch.inf
    assert rule.scores(query, key, v).isnan().tolist() == [[[[False, True], [False, False]]]]


def test_a_pair_without_a_gradient_gives_none_whatever_it_holds(rule: Rule) -> None:
    query, key, v = drawn((1, 1, 4, 5, 9))
    query[0, 0, 1], key[0, 0, 2] = torch.nan, torch.nan
    upstream = torch.randn(1, 1, 4, 5)
    upstream[:, :, 1], upstream[..., 2] = 0.0, 0.0
    found = all_of(rule.scores, [query, key, v], upstream)[1:]
    assert all(x.isfinite().all() for x in found)
    assert not found[0][0, 0, 1].any() and not found[1][0, 0, 2].any()


def test_a_vector_of_ones_stands_for_none(rule: Rule) -> None:
    query, key, v = drawn((1, 2, 3, 4, 5))
    found = rule.scores(query, key, None)
    assert torch.equal(found, rule.scores(query, key, torch.ones_like(v)))


def test_any_strides_serve(rule: Rule) -> None:
    query, key, v = drawn((2, 3, 6, 8, 10))
    odd = [query.mT.contiguous().mT, key[:, :, ::2], v.repeat(2)[::2]]
    upstream = torch.randn(2, 3, 4, 6).mT
    plain = all_of(rule.scores, [x.contiguous() for x in odd], upstream.contiguous())
    for found, wanted in zip(all_of(rule.scores, odd, upstream), plain, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    "size", [(0, 1, 2, 3, 4), (1, 1, 0, 3, 4), (1, 1, 2, 0, 4), (1, 1, 2, 3, 0)]
)
def test_empty_tensors_have_empty_or_zero_answers(rule: Rule, size: tuple[int, ...]) -> None:
    inputs = drawn(size)
    upstream = torch.randn(*inputs[0].shape[:3], inputs[1].shape[2])
    found = all_of(rule.scores, inputs, upstream)
    for one, other in zip(found, all_of(rule.definition, inputs, upstream), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("size", [(4, 1, 100, 100, 200), (1, 1, 130, 90, 1100)])
def test_the_number_of_threads_changes_no_bit(
    rule: Rule, size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 1)
    inputs, upstream = drawn(size), torch.randn(*size[:4])
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 16):
            torch.set_num_threads(count)
            found.append(all_of(rule.scores, inputs, upstream))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert torch.equal(one, other)


def test_eight_threads_at_once_get_their_own_answers(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 1)
    given = [(drawn((2, 1, 20, 30, 50)), torch.randn(2, 1, 20, 30)) for _ in range(8)]
    wanted, found = [all_of(rule.scores, *one) for one in given], {}
    workers = [
        threading.Thread(target=lambda n=n: found.update({n: all_of(rule.scores, *given[n])}))
        for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for n in range(8):
        assert all(torch.equal(a, b) for a, b in zip(found[n], wanted[n], strict=True))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_makes_threads_of_its_own(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 1)
    inputs, threads = drawn((2, 1, 20, 30, 50)), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            wanted = rule.scores(*inputs)
            child = os.fork()
            if child == 0:
                os._exit(0 if torch.equal(rule.scores(*inputs), wanted) else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(threads)


def test_derivatives_of_derivatives_are_those_of_the_definition(rule: Rule) -> None:
    inputs = [x.requires_grad_() for x in drawn((1, 2, 3, 4, 5))]
    upstream = torch.randn(1, 2, 3, 4, requires_grad=True)
    second = []
    for scores in rule:
        first = torch.autograd.grad(scores(*inputs), inputs, upstream, create_graph=True)
        penalty = sum(x.square().sum() for x in first)
        second.append(torch.autograd.grad(penalty, [*inputs, upstream]))
    for found, wanted in zip(*second, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_inputs_that_change_before_the_backward_pass_are_an_error(rule: Rule) -> None:
    query, key, v = (x.requires_grad_() for x in drawn((1, 1, 2, 3, 4)))
    held = key * 1
    output = rule.scores(query, held, v).sum()
    with torch.no_grad():
        held += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


@pytest.mark.parametrize("slope", [0.01, 0.2, 0.99])
@pytest.mark.parametrize(
    ("q_len", "k_len", "width", "size"),
    [(1, 30, 512, 1.0), (2, 7, 3, 1.0), (3, 1, 257, 1.0), (1, 33, 64, 50.0), (1, 33, 65, 1e-6)],
)
def test_leaky_scores_of_few_queries_are_as_exact_as_written_out(
    q_len: int, k_len: int, width: int, size: float, slope: float
) -> None:
    query, key, v = (torch.randn(2, 2, n, width) * size for n in (q_len, k_len, 1))
    v = v[0, 0, 0] / size
    written = [
        torch.nn.functional.leaky_relu(q.unsqueeze(-2) + k.unsqueeze(-3), slope) @ x
        for q, k, x in ((query, key, v), (query.double(), key.double(), v.double()))
    ]
    found = leaky_scores.scores(query, key, v, slope)
    least = 2e-7 * size * width**0.5
    assert_close_to_golden(found, written[1], written[0], what="scores", least=least)


def test_leaky_scores_of_few_queries_keep_infinity_and_nan_where_they_are() -> None:
    query, key, v = torch.zeros(1, 1, 1, 3), torch.randn(1, 1, 5, 3), torch.tensor([1.0, 2.0, 0.5])
    key[0, 0, 1, 0], key[0, 0, 2, 1], key[0, 0, 3, 2] = math.inf, -math.inf, math.nan
    found = leaky_scores.scores(query, key, v, 0.2)[0, 0, 0]
    assert found[[0, 4]].isfinite().all() and found[3].isnan()
    assert found[1] == math.inf and found[2] == -math.inf
