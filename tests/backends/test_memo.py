"""Calls of one form share what was checked and planned, and nothing else."""

import gc
import inspect
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _memo, _plan
from regard.masks import Causal, Dense, Padding, Prefix, SlidingWindow
from regard.normalizers import Softmax, divide_by_sum, softmax, sparsemax
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from regard.scores import Bilinear, Cosine, FeatureMapDot, ScaledDot
from tests.probe import assert_same, evaluate


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    for kept in (_memo._KNOWN, _memo._FASTEST):
        kept.clear()
    yield
    for kept in (_memo._KNOWN, _memo._FASTEST):
        kept.clear()


def qkv(
    length: int = 6, k_len: int | None = None, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    k_len = length if k_len is None else k_len
    return [torch.randn(2, 2, n, 4, dtype=dtype) for n in (length, k_len, k_len)]


def check(given: list[Tensor], **parts: Any) -> None:
    found = regard.attention(*given, **parts)
    wanted = regard.attention(*given, **parts, backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_calls_of_one_form_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []
    choose = _plan.choose
    monkeypatch.setattr(_plan, "choose", lambda call: planned.append(1) or choose(call))
    for _ in range(3):
        check(qkv())
        check(qkv(), mask=Causal())
        check(qkv(), mask=Padding(torch.tensor([6, 2])))
    assert len(planned) == 3


DIFFERENT: list[dict[str, Any]] = [
    {}, {"mask": Causal()}, {"mask": SlidingWindow(1)}, {"mask": SlidingWindow(2)},
    {"mask": SlidingWindow(1, 1)}, {"mask": ~Causal()}, {"mask": Causal() & ~SlidingWindow(0)},
    {"score": ScaledDot(0.3)}, {"score": ScaledDot(-0.3)}, {"score": ScaledDot(torch.tensor(0.7))},
    {"normalizer": Softmax(0.5)}, {"normalizer": Softmax(2.0)}, {"q_offset": 1, "mask": Causal()},
    {"q_offset": -1, "mask": Causal()}, {"score_mod": ALiBi(2)},
    {"score_mod": Bias(torch.randn(6, 6))}, {"score": Bilinear(4, 4)},
    {"score_mod": RelativeBias(2)},
]  # fmt: skip


def test_calls_of_other_forms_do_not_meet() -> None:
    for _ in range(2):
        for parts in DIFFERENT:
            for given in (qkv(), qkv(7), qkv(dtype=torch.float64)):
                if given[0].dtype == torch.float64 and isinstance(
                    parts.get("score"), torch.nn.Module
                ):
                    continue
                if given[0].shape[2] == 7 and isinstance(parts.get("score_mod"), Bias):
                    continue
                check(given, **parts)


@pytest.mark.parametrize("make", [
    lambda: Padding(torch.randint(0, 7, (2,))), lambda: Dense(torch.rand(6, 6) < 0.6),
])  # fmt: skip
def test_a_tensor_in_a_part_is_read_anew(make: Any) -> None:
    for _ in range(4):
        check(qkv(), mask=make())
    mask = Dense(torch.ones(6, 6, dtype=torch.bool))
    check(qkv(), mask=mask)
    mask.tensor[:, 3:] = False
    check(qkv(), mask=mask)


def test_gradients_come_and_go_with_what_asks_for_them() -> None:
    for parts in ({}, {"mask": Causal()}, {"mask": SlidingWindow(1)}):
        for ask in (False, True, False, True):
            given = [x.requires_grad_(ask) for x in qkv()]
            output = regard.attention(*given, **parts)
            assert output.requires_grad == ask
            if ask:
                wanted = regard.attention(*given, **parts, backend="reference")
                for one, other in zip(
                    torch.autograd.grad(output.square().sum(), given),
                    torch.autograd.grad(wanted.square().sum(), given),
                    strict=True,
                ):
                    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            assert not regard.attention(*given, **parts).requires_grad
        with torch.inference_mode():
            check(qkv(), **parts)
        with torch.autocast("cpu", torch.bfloat16):
            assert regard.attention(*qkv(), **parts).dtype == torch.bfloat16
        assert regard.attention(*qkv(), **parts).dtype == torch.float32


@pytest.mark.parametrize("wild", [torch.nan, torch.inf, 1e38])
@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(1)], ids=str)
def test_what_is_hidden_stays_hidden_in_a_call_seen_before(mask: Any, wild: float) -> None:
    query, key, value = qkv()
    clean = regard.attention(query, key, value, mask=mask)  # now it is known
    later_key, later_value = key.clone(), value.clone()
    later_key[:, :, -1], later_value[:, :, -1] = wild, wild
    given = [x.requires_grad_() for x in (query, later_key, later_value)]
    for inputs in ([x.detach() for x in given], given):
        found = regard.attention(*inputs, mask=mask)
        torch.testing.assert_close(found[:, :, :-1].detach(), clean[:, :, :-1])
    gradients = torch.autograd.grad(found[:, :, :-1].sum(), given)
    assert all(gradient[:, :, :-1].isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda g: [g[0], g[1][:, :, :5], g[2]], "k_len"),
        (lambda g: [g[0].double(), *g[1:]], "key.to"),
        (lambda g: [g[0], g[1].to("meta"), g[2]], "meta"),
    ],
)
def test_a_wrong_call_after_a_right_one_is_still_wrong(change: Any, error: str) -> None:
    given = qkv()
    regard.attention(*given)
    with pytest.raises((TypeError, ValueError), match=error):
        regard.attention(*change(given))


def test_what_is_kept_is_bounded() -> None:
    for length in range(1, 30):
        regard.attention(*qkv(length), normalizer=softmax)
    assert len(_memo._KNOWN) == 29
    _memo._MANY, many = 8, _memo._MANY
    try:
        for length in range(30, 50):
            regard.attention(*qkv(length))
        assert len(_memo._KNOWN) <= 8
    finally:
        _memo._MANY = many


def test_a_bool_is_not_taken_for_the_number_it_equals() -> None:
    given = qkv()
    regard.attention(*given, mask=Causal(), q_offset=1)
    with pytest.raises(TypeError, match="q_offset to be an int, got bool"):
        inspect.unwrap(regard.attention)(*given, mask=Causal(), q_offset=True)


def test_what_a_function_closes_over_is_not_kept_alive() -> None:
    pattern = torch.rand(6, 6) < 0.6
    alive = weakref.ref(pattern)

    def seen(b: Tensor, h: Tensor, q: Tensor, k: Tensor, tensor: Tensor) -> Tensor:
        return tensor[q, k]

    def closed(tensor: Tensor) -> Any:
        return lambda b, h, q, k: seen(b, h, q, k, tensor)

    regard.attention(*qkv(), mask=closed(pattern))
    del pattern
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("where", ["key", "query"])
@pytest.mark.parametrize("length", [6, 32])
def test_what_is_seen_shows_in_a_call_seen_before(where: str, length: int) -> None:
    """An infinite key below every query has no weight, and a kernel's tail forgets a NaN query."""
    query, key, value = -torch.rand(1, 1, length, 16), torch.rand(1, 1, length, 16), qkv(length)[2]
    value = value[:1, :1]
    parts = {"mask": Causal()}
    regard.attention(query, key, value, **parts)
    if where == "key":
        key[:, :, length // 2] = torch.inf
    else:
        query[:, :, -1] = torch.nan
    with torch.no_grad():
        found = regard.attention(query, key, value, **parts)
    wanted = regard.attention(query, key, value, **parts, backend="reference")
    assert torch.equal(found.isnan(), wanted.isnan()) and wanted.isnan().any()


def test_numbers_that_are_equal_are_not_the_same_call() -> None:
    attention = inspect.unwrap(regard.attention)
    attention(*qkv(), mask=Causal(), q_offset=0, dropout=0.0)
    for wrong in ({"q_offset": False}, {"q_offset": 0.0}, {"dropout": False}):
        with pytest.raises(TypeError):
            attention(*qkv(), mask=Causal(), **wrong)


def form(**changed: Any) -> object:
    """The form of one and the same call, but for what is changed."""
    parts = {"score": ScaledDot(), "score_mod": None, "mask": None, "normalizer": softmax}
    parts |= {"dropout": 0.0, "q_offset": None}
    return _memo.form_of(*[torch.zeros(2, 2, 6, 4)] * 3, *(parts | changed).values())


@pytest.mark.parametrize(
    "mask", [Causal(), SlidingWindow(3), Causal() & Padding(torch.tensor([9, 4]))], ids=str
)
def test_a_second_step_from_a_cache_ends_where_the_keys_end(mask: Any) -> None:
    for _ in range(3):
        inputs = qkv(2, k_len=9)
        wanted = evaluate(*inputs, mask=mask, backend="reference")
        assert_same(evaluate(*inputs, mask=mask), wanted, 1e-5)


@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(2), ~Causal()], ids=str)
def test_where_each_sequence_begins_is_read_in_every_call(mask: Any) -> None:
    for offset in ([3, 1], [0, 2], [3, 3], [1, 0]):
        given = {"mask": mask, "q_offset": torch.tensor(offset)}
        check(qkv(2, k_len=6), **given)
        check(qkv(2, k_len=6), **{**given, "mask": mask & Padding(torch.tensor([6, 2]))})


@pytest.mark.parametrize(
    "mask",
    [
        lambda real: Padding(real), lambda real: Padding(real) & Causal(),
        lambda real: Padding(keep=torch.arange(6) < real[:, None]),
        lambda real: Padding(ignore=torch.arange(6) >= real[:, None]) | SlidingWindow(0),
    ],
    ids=["lengths", "causal", "keep", "ignore"],
)  # fmt: skip
def test_padding_is_read_in_every_call_with_gradients(mask: Any) -> None:
    for real in ([6, 2], [1, 6], [0, 3], [5, 0], [6, 6]):
        inputs, given = qkv(), {"mask": mask(torch.tensor(real))}
        check(inputs, **given)
        wanted = evaluate(*inputs, **given, backend="reference")
        assert_same(evaluate(*inputs, **given), wanted, 1e-5)
        if real[1] == 0 and given["mask"].__class__ is Padding:
            upstream = torch.ones(2, 2, 6, 4)
            upstream[1] = torch.nan
            found = evaluate(*inputs, upstream, **given)
            assert all(one.isfinite().all() for one in found.values())
        if real == [6, 2] and given["mask"].__class__ is Padding:
            inputs[1][1, :, 2:], inputs[2][1, :, 2:] = torch.nan, torch.inf
            check(inputs, **given)


@pytest.mark.parametrize("mask", [None, Causal(), SlidingWindow(2)], ids=str)
def test_dropout_is_as_strong_in_every_call(mask: Any) -> None:
    inputs = qkv()
    for dropout in (0.0, 1.0, 0.0, 1.0):
        output = regard.attention(*inputs, mask=mask, dropout=dropout)
        assert bool((output == 0).all()) == (dropout == 1.0)


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ({"mask": Dense(torch.ones(6, 6).bool())}, {"mask": Dense(torch.ones(5, 6).bool())}, "5"),
        ({"mask": torch.ones(6, 6).bool()}, {"mask": torch.ones(6, 7).bool()}, "k_len 7"),
        ({"mask": Padding(torch.tensor([6, 2]))}, {"mask": Padding(torch.tensor([6]))}, "batch 1"),
        ({"mask": Prefix(torch.tensor([6, 2]))}, {"mask": Prefix(torch.tensor([6]))}, "batch 1"),
        ({"score_mod": Bias(torch.ones(6, 6))}, {"score_mod": Bias(torch.ones(6, 3))}, "k_len 3"),
        ({"q_offset": torch.tensor([0, 1])}, {"q_offset": torch.tensor([0])}, "batch 1"),
    ],
    ids=str,
)
def test_a_part_of_another_shape_is_still_refused(
    right: dict[str, Any], wrong: dict[str, Any], error: str
) -> None:
    inputs = qkv()
    for _ in range(2):
        regard.attention(*inputs, **right)
    with pytest.raises(ValueError, match=error):
        regard.attention(*inputs, **wrong)


@pytest.mark.parametrize(
    ("role", "make"),
    [("score", ScaledDot), ("score", Cosine), ("score_mod", SoftCap), ("normalizer", Softmax)],
    ids=str,
)
@pytest.mark.parametrize("mask", [None, Causal()], ids=str)
def test_a_learned_number_is_read_anew_in_every_call(role: str, make: Any, mask: Any) -> None:
    number = torch.nn.Parameter(torch.tensor(0.7))
    given = {role: make(number), "mask": mask}
    for value in (0.7, 0.3, 2.0):
        with torch.no_grad():
            number.fill_(value)
        inputs = qkv()
        wanted = evaluate(*inputs, **given, backend="reference")
        # Either may be off by 2e-5 at a temperature of 0.3; an old number is off by far more.
        assert_same(evaluate(*inputs, **given), wanted, 5e-5)


@pytest.mark.parametrize("mask", [None, Causal(), SlidingWindow(2)], ids=str)
def test_calls_without_a_form_run_as_the_plan_says(
    mask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, so that what one leaves behind would mislead the next."""
    ran: list[str] = []
    for name, module in _plan.BACKENDS.items():

        def run(call: Any, name: str = name, inner: Any = module.run) -> Tensor:
            ran.append(name)
            return inner(call)

        monkeypatch.setattr(module, "run", run)
    for parts in (
        {"normalizer": sparsemax}, {"normalizer": softmax}, {"score_mod": SoftCap(2.0)},
        {"score_mod": ALiBi(2)}, {"score": FeatureMapDot(), "normalizer": divide_by_sum},
        {"score": FeatureMapDot()}, {"dropout": 0.5}, {"mask": ~Causal()}, {},
    ):  # fmt: skip
        given, parts = qkv(40, dtype=torch.bfloat16), {"mask": mask, **parts}
        with torch.autocast("cpu", torch.bfloat16):
            regard.attention(*given, **parts)
        assert ran == [regard.plan(*given, **parts).backend]
        ran.clear()


def test_a_form_says_which_tensors_of_a_part_learn() -> None:
    bias = torch.zeros(6, 6)
    fixed = form(score_mod=Bias(bias))
    assert fixed == form(score_mod=Bias(torch.ones(6, 6)))
    assert fixed != form(score_mod=Bias(bias.requires_grad_()))


@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(5)], ids=str)
def test_what_overflows_in_the_backward_pass_alone_stays_hidden(mask: Any) -> None:
    """A hidden value is multiplied by the gradient, which is large, before its weight of zero."""
    query, key, value = qkv()
    given = [x.requires_grad_() for x in (query, key, value.clone())]
    seen = slice(0, 5)
    upstream = torch.full((2, 2, 5, 4), 50.0)
    wanted = torch.autograd.grad(regard.attention(*given, mask=mask)[:, :, seen], given, upstream)
    with torch.no_grad():
        given[2][:, :, 5] = 1e37
    found = torch.autograd.grad(regard.attention(*given, mask=mask)[:, :, seen], given, upstream)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
