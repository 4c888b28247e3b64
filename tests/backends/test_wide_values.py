"""Values much wider than keys, on a CPU: some queries at a time, as the definition has it."""

from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _wide_values
from regard.normalizers import Softmax, softmax
from regard.scores import Bilinear, Cosine, Dot, NegativeSquaredDistance, ScaledDot
from tests.parts import shown
from tests.probe import assert_same, evaluate


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve short inputs too, in several blocks, of which the last is not full."""
    monkeypatch.setattr(_wide_values, "MANY", 1)
    monkeypatch.setattr(_wide_values, "LEAST", 1)
    monkeypatch.setattr(_wide_values, "BLOCK_BYTES", 3 * 7 * 8)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often it ran."""
    count: list[int] = []
    run = _wide_values.run
    monkeypatch.setattr(_wide_values, "run", lambda call: (count.append(1), run(call))[1])
    return count


def drawn(dtype: torch.dtype = torch.float64, q_len: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    widths = ((q_len, 3), (7, 3), (7, 11))
    return tuple(torch.randn(2, 3, *size, dtype=dtype) for size in widths)


SCORES = [
    Dot(), ScaledDot(), ScaledDot(-0.7), ScaledDot(torch.tensor(1.3, dtype=torch.float64)),
    Cosine(0.3), NegativeSquaredDistance(), Bilinear(3, 3).double(),
]  # fmt: skip


@pytest.mark.parametrize("normalizer", [softmax, Softmax(0.6)], ids=["softmax", "Softmax"])
@pytest.mark.parametrize("score", SCORES, ids=shown)
def test_wide_values_are_served_as_defined(score: Any, normalizer: Any, served: list[int]) -> None:
    parts = {"score": score, "normalizer": normalizer}
    inputs = drawn()
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert not served
    assert_same(evaluate(*inputs, **parts, backend="sdpa"), wanted)
    assert served
    with torch.no_grad():
        found = regard.attention(*inputs, **parts, backend="sdpa")
    assert_same({"output": found}, {"output": wanted["output"]})


@pytest.mark.parametrize("only", [0, 1, 2])
def test_one_of_three_may_want_a_gradient(only: int, served: list[int]) -> None:
    inputs = drawn()
    inputs[only].requires_grad_()
    found, wanted = (
        torch.autograd.grad(regard.attention(*inputs, backend=backend).square().sum(), inputs[only])
        for backend in ("sdpa", "reference")
    )
    torch.testing.assert_close(found, wanted)
    assert served


def test_derivatives_of_first_and_second_order(served: list[int]) -> None:
    inputs = [x.requires_grad_() for x in drawn(q_len=4)]
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda *x: regard.attention(*x, backend="sdpa"), inputs, fast_mode=True)
    assert served


def test_any_strides_will_do(served: list[int]) -> None:
    query, key, value = drawn()
    turned = [x.mT.contiguous().mT for x in (query, key)] + [value[..., :1].expand_as(value)]
    wanted = evaluate(*turned, backend="reference")
    assert_same(evaluate(*turned, backend="sdpa"), wanted)
    assert served


def test_float32_is_as_near_as_float32_is(served: list[int]) -> None:
    inputs = drawn(torch.float32)
    wanted = evaluate(*(x.double() for x in inputs), backend="reference")
    found = evaluate(*inputs, backend="sdpa")
    assert_same({name: x.double() for name, x in found.items()}, wanted, 1e-5)
    assert served


def test_other_calls_are_left_to_the_kernel(served: list[int]) -> None:
    query, key, value = drawn()
    dense = torch.ones(8, 7, dtype=torch.bool)
    for tensors, parts in (
        ((query, key, value[..., :5]), {}),
        ((query, key, value), {"mask": dense}),
        ((query, key, value), {"score_mod": regard.score_mods.Bias(torch.randn(8, 7))}),
        ((query, key, value), {"dropout": 0.1}),
        ((query, key[:, :1], value[:, :1]), {}),
        ((query.bfloat16(), key.bfloat16(), value.bfloat16()), {}),
    ):
        regard.attention(*tensors, **parts, backend="sdpa")
    torch.vmap(lambda *x: regard.attention(*x))(*(x[None] for x in (query, key, value)))
    assert not served
