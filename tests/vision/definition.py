"""What the definitions of blocks are written with: plain arithmetic, one offset at a time."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def affine(linear: nn.Module, vectors: Tensor) -> Tensor:
    """Of every row: `W v + b`; a convolution of size 1 is read as a matrix."""
    matrix = linear.weight.reshape(linear.weight.shape[0], -1)
    rows = torch.stack([matrix @ vector for vector in vectors])
    return rows if linear.bias is None else rows + linear.bias


def at_places(linear: nn.Module, x: Tensor) -> Tensor:
    """`W v + b` of the channels of every place."""
    matrix = linear.weight.reshape(linear.weight.shape[0], -1)
    y = torch.einsum("oc,bc...->bo...", matrix, x)
    return y if linear.bias is None else y + along(linear.bias, y)


def along(of_channels: Tensor, x: Tensor) -> Tensor:
    """A number for each channel, for every image and place."""
    return of_channels.reshape(1, -1, *(1 for _ in x.shape[2:])).expand_as(x)


def mean(x: Tensor) -> Tensor:
    """Of each channel: `[batch, channels]`."""
    return torch.stack([torch.stack([c.sum() / c.numel() for c in image]) for image in x])


def convolved(layer: Any, x: Tensor, dilation: int = 1, groups: int = 1) -> Tensor:
    """A sum over the offsets of the kernel, in which what lies outside of the map is zero."""
    weight, places = layer.weight, x.shape[2:]
    margins = [size // 2 * dilation for size in weight.shape[2:]]
    padded = nn.functional.pad(x, [m for margin in reversed(margins) for m in (margin, margin)])
    y = torch.zeros(x.shape[0], weight.shape[0], *places, dtype=x.dtype)
    for offset in itertools.product(*(range(size) for size in weight.shape[2:])):
        window = [
            slice(o * dilation, o * dilation + n) for o, n in zip(offset, places, strict=True)
        ]
        seen = padded[(..., *window)].chunk(groups, 1)
        parts = weight[(..., *offset)].chunk(groups, 0)
        y = y + torch.cat(
            [torch.einsum("oc,bc...->bo...", w, s) for w, s in zip(parts, seen, strict=True)], 1
        )
    return y if layer.bias is None else y + along(layer.bias, y)


def normed(norm: Any, x: Tensor) -> Tensor:
    """A batch norm: of the statistics of this batch in training, else of those that are kept."""
    if norm.training:
        values = x.transpose(0, 1).flatten(1)
        center, spread = values.mean(1), values.var(1, unbiased=False)
    else:
        center, spread = norm.running_mean, norm.running_var
    y = (x - along(center, x)) / (along(spread, x) + norm.eps).sqrt()
    return y * along(norm.weight, x) + along(norm.bias, x)


def assert_is(made: Any, definition: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Fail unless the block's output and every gradient are its definition's, in float64.

    It is asked in training and in evaluation, and of copies, so that statistics are the same ones.
    """
    __tracebackhide__ = True
    made = made.double()
    inputs = tuple(x.double().requires_grad_() for x in inputs)
    for training in (True, False):
        ours, theirs = (copy.deepcopy(made).train(training) for _ in range(2))
        found, wanted = ours(*inputs), definition(theirs, *inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-11)
        direction = torch.randn_like(wanted)
        gradients = [
            torch.autograd.grad((y * direction).sum(), [*inputs, *one.parameters()])
            for y, one in ((found, ours), (wanted, theirs))
        ]
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
