"""Kernels that nobody knows, read through their values."""

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.capturing import Opaque
from regard.errors import UsageError


@torch.library.custom_op("regard_tests::attend", mutates_args=())
def attend(q: Tensor, k: Tensor, v: Tensor, scale: float = 0.5) -> Tensor:
    return (q @ k.mT * scale).sigmoid() @ v


@torch.library.custom_op("regard_tests::lengths_first", mutates_args=())
def lengths_first(v: Tensor, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k)
    weights = scores.softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v), scores.logsumexp(-1)


def kernel(q: Tensor, k: Tensor, values: Tensor) -> Tensor:
    weights = (q @ k.mT).exp()
    for _ in range(1):
        weights = weights / (1 + weights.sum(-1, keepdim=True))
    return weights @ values


class Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT).softmax(-1) @ v


Q, K, V = (
    torch.randn(2, 3, n, d, generator=torch.Generator().manual_seed(n))
    for n, d in ((5, 4), (7, 4), (7, 3))
)


@pytest.mark.parametrize(
    "op", [attend, torch.ops.regard_tests.attend, torch.ops.regard_tests.attend.default], ids=str
)
@pytest.mark.parametrize(
    "call",
    [attend, torch.ops.regard_tests.attend, torch.ops.regard_tests.attend.default],
    ids=str,
)
def test_a_custom_operator_under_each_of_its_names(op: Any, call: Any) -> None:
    plain = call(Q, K, V)
    with regard.capture(ops=[op]) as maps:
        seen = call(Q, K, V)
    assert torch.equal(plain, seen) and len(maps) == 1
    torch.testing.assert_close(maps[0].weights(), (Q @ K.mT * 0.5).sigmoid())
    assert maps[0].weights(heads=[1], rows=[-1], item=1).shape == (1, 1, 1, 7)
    assert maps[0].provenance == "read through values"


@pytest.mark.parametrize("value", ["v", 0])
def test_values_by_name_and_lengths_in_front_of_heads(value: Any) -> None:
    q, k, v = (x.transpose(1, 2).contiguous() for x in (Q, K, V))
    op = torch.ops.regard_tests.lengths_first
    with regard.capture(ops=[Opaque(op, value=value, layout="blhd")]) as maps:
        op(v, q, k)
    torch.testing.assert_close(maps[0].weights(), (Q @ K.mT).softmax(-1))


def test_a_function_wherever_it_is_known() -> None:
    plain = kernel(Q, K, V)
    with regard.capture(ops=[Opaque(kernel, value="values")]) as maps:
        seen = kernel(Q, K, values=V)
        kernel(Q, K, V)
    weights = (Q @ K.mT).exp()
    assert torch.equal(plain, seen) and len(maps) == 2
    for each in maps:
        torch.testing.assert_close(each.weights(), weights / (1 + weights.sum(-1, keepdim=True)))
    assert kernel.__name__ == "kernel" and vars(sys.modules[__name__])["kernel"] is kernel


def test_an_autograd_function() -> None:
    with regard.capture(ops=[Kernel]) as maps:
        Kernel.apply(Q, K, V)
    assert len(maps) == 1 and "apply" not in vars(Kernel)
    torch.testing.assert_close(maps[0].weights(), (Q @ K.mT).softmax(-1))


def squares(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT).softmax(-1) @ v.square()


def tells_nothing(q: Tensor, k: Tensor, v: Tensor) -> None:
    return None


def two(q: Tensor, k: Tensor) -> Tensor:
    return q


def test_what_is_no_attention_is_an_error() -> None:
    with regard.capture(ops=[squares]) as maps:
        squares(Q, K, V)
    with pytest.raises(UsageError, match="squares is not linear in its values"):
        maps[0].weights()
    with pytest.raises(UsageError, match="gave NoneType where attention gives a tensor"):
        with regard.capture(ops=[tells_nothing]):
            tells_nothing(Q, K, V)
    with pytest.raises(UsageError, match="called with 2 tensors"):
        with regard.capture(ops=[two]):
            two(Q, K)
    with pytest.raises(UsageError, match="one sum of values for each query"):
        with regard.capture(ops=[Opaque(squares, value="q")]):
            squares(Q, K, V)
    with pytest.raises(TypeError, match="operators or functions, not str"):
        regard.capture(ops=["attend"])
    with pytest.raises(ValueError, match="'bhld' or 'blhd'"):
        Opaque(two, layout="bld")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="without an argument 'w'"):
        with regard.capture(ops=[Opaque(two, value="w")]):
            two(Q, K)
