"""A call that has the form of an earlier one is answered as if it were the first of its form."""

from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _memo
from regard.masks import Causal, Dense, Padding, Prefix, SlidingWindow
from regard.normalizers import Softmax, softmax
from regard.score_mods import Bias, SoftCap
from regard.scores import Cosine, ScaledDot
from tests.probe import assert_same, evaluate


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test meet its forms for the first time."""
    monkeypatch.setattr(_memo, "_KNOWN", {})


def qkv(q_len: int = 6, k_len: int = 6) -> list[Tensor]:
    return [torch.randn(2, 2, length, 4) for length in (q_len, k_len, k_len)]


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
        inputs = qkv(q_len=2, k_len=9)
        wanted = evaluate(*inputs, mask=mask, backend="reference")
        assert_same(evaluate(*inputs, mask=mask), wanted, 1e-5)


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
        assert_same(evaluate(*inputs, **given), wanted, 1e-5)


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
