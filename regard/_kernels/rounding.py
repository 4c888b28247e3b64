"""Rows rounded to bytes, each by its own step, in one pass."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from regard._kernels.installed import has_loops, loops
from regard._kernels.slices import in_slices
from regard._torch_private import is_ordinary

MANY = 1 << 18
"""Numbers from which on one pass is worth compiling a loop for."""


def bytes_of_rows(
    rows: Float[Tensor, "rows width"],
) -> tuple[UInt8[Tensor, "rows width"], Float[Tensor, "rows 1"]] | None:
    """How many steps each number is, above 128, and what a step is: the greatest number over 127.

    None where it is not for this call: few numbers, no Numba, or rows that do not lie in order. The
    step of a row that is not finite is NaN.

    >>> bytes_of_rows(torch.ones(2, 3)) is None
    True
    """
    if not (is_ordinary() and rows.numel() >= MANY and has_loops()):
        return None
    if rows.dtype != torch.float32 or rows.device.type != "cpu":
        return None
    if not rows.is_contiguous() or (torch.is_grad_enabled() and rows.requires_grad):
        return None
    count, width = rows.shape
    whole, steps = rows.new_empty(count, width, dtype=torch.uint8), rows.new_empty(count, 1)
    in_slices(
        loops("compiled").bytes_of_rows,
        whole.data_ptr(), steps.data_ptr(), rows.data_ptr(), width, count,
        outputs=count, size=4 * rows.numel(),
    )  # fmt: skip
    return whole, steps
