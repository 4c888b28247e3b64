"""Arithmetic on feature maps of any number of spatial dimensions: sequences, images, volumes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._torch_private import is_jit_traced

CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}
NORMS: dict[int, type[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]] = {
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
"""By the number of spatial dimensions: 1 for sequences, 2 for images, 3 for volumes and videos."""


def means_of(x: Float[Tensor, "batch channels *places"]) -> Float[Tensor, "batch channels"]:
    """The mean of each channel over all places."""
    return mean_over(x, *range(2, x.ndim))


def mean_over(x: Float[Tensor, "*shape"], *dims: int) -> Float[Tensor, "*rest"]:
    """The mean over some dimensions.

    It is divided after the sum, whose gradient is one number for all that is summed: that of `mean`
    is divided, and written, everywhere. Sums of 16 bits would overflow.
    """
    if x.dtype not in (torch.float32, torch.float64):
        return x.mean(dims)
    count = 1
    for dim in dims:  # a graph takes no generator of sizes
        count = count * x.shape[dim]
    return x.sum(dims) / count


def largest(x: Float[Tensor, "*shape"], dim: int) -> Float[Tensor, "*rest"]:
    """The maximum along a dimension; the first of equal values gets the gradient.

    Where there will be one, maxima are taken with their indices: `amax` looks for them afterwards,
    and takes three times as long in all. A graph that is traced is the same with and without.
    """
    asked = torch.is_grad_enabled() and x.requires_grad and not is_jit_traced()
    return x.max(dim).values if asked else x.amax(dim)


def over_places(
    gates: Float[Tensor, "batch channels"], x: Float[Tensor, "batch channels *places"]
) -> Float[Tensor, "batch channels *ones"]:
    """A number per channel, with as many dimensions as the maps: `[batch, channels, 1, ...]`.

    >>> over_places(torch.zeros(2, 8), torch.zeros(2, 8, 5, 7)).shape
    torch.Size([2, 8, 1, 1])
    """
    return gates.reshape(*gates.shape, *(1 for _ in x.shape[2:]))


def at_each_place(
    linear: nn.Linear, x: Float[Tensor, "batch channels *places"]
) -> Float[Tensor, "batch outputs *places"]:
    """The layer applied to the channels of every place, a convolution of size 1.

    >>> at_each_place(nn.Linear(8, 3), torch.zeros(2, 8, 5, 7)).shape
    torch.Size([2, 3, 5, 7])
    """
    # Of one output, `weight @ maps` is a product of a vector, which takes up to 20 times as long.
    y = torch.bmm(linear.weight.expand(x.shape[0], -1, -1), x.flatten(2))
    if linear.bias is not None:
        y = y + linear.bias[:, None]
    return y.reshape(y.shape[0], y.shape[1], *x.shape[2:])


def weighed(
    maps: Sequence[Float[Tensor, "batch channels *places"]],
    shares: Float[Tensor, "batch splits channels *ones"],
) -> Float[Tensor, "batch channels *places"]:
    """The sum of several maps, each weighted per channel.

    >>> halves = torch.full((2, 3, 8, 1, 1), 0.5)
    >>> weighed([torch.ones(2, 8, 5, 7)] * 3, halves).unique()
    tensor([1.5000])
    """
    y = maps[0] * shares[:, 0]
    for each, share in zip(maps[1:], shares.unbind(1)[1:], strict=True):
        y = torch.addcmul(y, each, share)
    return y


def widened(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Cast 16 bits to 32 before squaring: 256 squared overflows float16."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
