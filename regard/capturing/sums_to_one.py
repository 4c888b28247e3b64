"""Weights that were normalized by hand: what was made of scores, and sums to one in each row."""

from typing import TypeVar

import torch
from torch import Tensor

from regard.capturing.provenance import Node, Scores, Weights
from regard.capturing.undisturbed import undisturbed

NAME = "rows sum to one"
"""What is known of the normalizer."""


Known = TypeVar("Known", bound=Node | None)


def as_weights(x: Tensor, node: Known, axis: int) -> Known | Weights:
    """Scores that meet values over an axis as the weights that they are; else what was known.

    Numbers are looked at only where something was done that makes them at least zero (an
    exponential, a bound, a quotient), and where they are at hand.
    """
    if not isinstance(node, Scores) or not (node.of_two and node.bounded):
        return node
    axis %= x.ndim
    if axis in node.features or x.shape[axis] < 2 or not _is_at_hand(x):
        return node
    return Weights(node, NAME, axis, unknown="normalizer") if _sum_to_one(x, axis) else node


def _is_at_hand(x: Tensor) -> bool:
    """Whether looking does not stop what records the call."""
    if type(x) is not Tensor or x.is_meta or x.numel() == 0 or not x.is_floating_point():
        return False
    return not (x.is_cuda and torch.cuda.is_current_stream_capturing())


def _sum_to_one(x: Tensor, axis: int) -> bool:
    """Whether no number is negative and all rows sum to one, those without a key to zero."""
    with undisturbed():
        sums = x.detach().sum(axis, dtype=torch.promote_types(x.dtype, torch.float32))
        near = (sums - 1).abs() <= max(1e-4, 4 * torch.finfo(x.dtype).eps)
        return bool((x.detach() >= 0).all() & (near | (sums == 0)).all() & near.any())
