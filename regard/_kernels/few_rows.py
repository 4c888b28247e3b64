"""Products of a few vectors with a matrix that no cache holds, as fast as memory gives it.

Writing token by token is reading weights: each number of a matrix is used once for each of the few
rows that are written. PyTorch's kernels for such products reach a third to two thirds of what a
core can read; these loops reach nearly all of it. They are compiled by Numba (`pip install
"regard[cpu]"`) the first time that a matrix is large enough to matter; without it, or where a call
is recorded, the answer is None and the caller does what it always did.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from regard._kernels.installed import has_loops, loops
from regard._kernels.slices import in_slices
from regard._torch_private import is_ordinary

FEW = 4
"""Rows up to which the time is that of reading the matrix."""

LARGE = 1 << 18
"""Numbers of a matrix from which on reading them takes longer than asking."""

_PLAIN = (Tensor, torch.nn.Parameter)


def float32_product(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "*rows outputs"] | None:
    """`x W^T + b` in float32, summed in an order of its own; None where it is not for this call.

    >>> float32_product(torch.ones(9, 4), torch.ones(3, 4), None) is None
    True
    """
    if not _serves(x, weight, torch.float32) or not _is_plain(bias):
        return None
    outputs, inputs = weight.shape
    y = x.new_empty(*x.shape[:-1], outputs)
    at = 0 if bias is None else bias.data_ptr()
    rows = y.numel() // outputs
    in_slices(
        loops("compiled").float32_rows, y.data_ptr(), x.data_ptr(), weight.data_ptr(), at,
        bias is not None, rows, inputs, outputs, outputs=outputs, size=4 * weight.numel(),
    )  # fmt: skip
    return y


def int8_product(
    x: Float[Tensor, "*rows inputs"],
    weight: Int8[Tensor, "outputs inputs"],
    step: Float[Tensor, " outputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "*rows outputs"] | None:
    """The equation of `DynamicInt8Linear`: rounded, multiplied and put to scale in one go.

    None where it is not for this call. A row that is not finite gives NaN.
    """
    if not _serves(x, weight, torch.int8) or not (_is_plain(step) and _is_plain(bias)):
        return None
    outputs, inputs = weight.shape
    y = x.new_empty(*x.shape[:-1], outputs)
    at = 0 if bias is None else bias.data_ptr()
    rows = y.numel() // outputs
    in_slices(
        loops("compiled").int8_rows,
        y.data_ptr(), x.data_ptr(), weight.data_ptr(), step.data_ptr(), at,
        bias is not None, rows, inputs, outputs, outputs=outputs, size=weight.numel(),
    )  # fmt: skip
    return y


def _serves(x: Tensor, weight: Tensor, kind: torch.dtype) -> bool:
    """Whether so few rows meet so large a matrix, all of it in memory in the usual order."""
    # In a recorded call even a number of elements cannot be asked, so that is known first.
    return (
        is_ordinary()
        and weight.numel() >= LARGE
        and has_loops()
        and 0 < x.numel() <= FEW * weight.shape[1]
        and x.dtype == torch.float32
        and weight.dtype == kind
        and x.shape[-1] == weight.shape[1]
        and x.device.type == weight.device.type == "cpu"
        and type(x) in _PLAIN
        and type(weight) in _PLAIN
        and x.is_contiguous()
        and weight.is_contiguous()
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
    )


def _is_plain(vector: Tensor | None) -> bool:
    """Whether there is no vector, or one of float32 in memory."""
    return vector is None or (
        vector.dtype == torch.float32
        and vector.is_contiguous()
        and vector.device.type == "cpu"
        and not (torch.is_grad_enabled() and vector.requires_grad)
    )
