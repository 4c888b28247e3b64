"""Arithmetic that the blocks share."""

import pytest
import torch
from torch import nn

from regard.vision._maps import at_each_place, largest, means_of, over_places, widened


@pytest.mark.parametrize("dim", [1, 2])
def test_maxima_are_the_same_with_and_without_gradients(dim: int) -> None:
    x = torch.randn(3, 8, 35)
    assert torch.equal(largest(x, dim), x.amax(dim))
    assert torch.equal(largest(x.clone().requires_grad_(), dim), x.amax(dim))
    with torch.no_grad():
        assert torch.equal(largest(x.clone().requires_grad_(), dim), x.amax(dim))


def test_of_equal_maxima_one_has_the_whole_gradient() -> None:
    x = torch.zeros(2, 3, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(largest(x, 2).sum(), x)
    assert torch.equal(gradient.sum(2), torch.ones(2, 3)) and gradient.count_nonzero() == 6


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_at_each_place_is_a_convolution_of_size_1(bias: bool) -> None:
    linear, x = nn.Linear(8, 3, bias), torch.randn(2, 8, 7, 5)
    wanted = nn.functional.conv2d(x, linear.weight[:, :, None, None], linear.bias)
    torch.testing.assert_close(at_each_place(linear, x), wanted)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(at_each_place(linear, last), wanted)


def test_means_and_gates_have_one_number_for_each_channel() -> None:
    x = torch.randn(2, 8, 7, 5)
    torch.testing.assert_close(means_of(x), x.mean((2, 3)))
    assert over_places(means_of(x), x).shape == (2, 8, 1, 1)


def test_only_sixteen_bits_are_widened() -> None:
    for dtype, wide in {
        torch.float16: torch.float32,
        torch.bfloat16: torch.float32,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
    }.items():
        assert widened(torch.zeros(1, dtype=dtype)).dtype == wide
