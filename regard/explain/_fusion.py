"""Fusing the heads of a layer, and adding the residual connection."""

from typing import Literal

import torch
from torch import Tensor

from regard.explain.normalized import rows_of_one

Fusion = Literal["mean", "max", "min"]
FUSIONS = ("mean", "max", "min")


def require_fusion(owner: str, heads: str) -> None:
    """Raise `ValueError` for an unknown fusion of heads."""
    if heads not in FUSIONS:
        raise ValueError(f'{owner} fuses heads by "mean", "max" or "min", got {heads!r}.')


def fused(layer: Tensor, heads: Fusion, discard: float) -> Tensor:
    """One matrix of all heads, `[batch, query, key]`; each row sums to one or is zero."""
    if heads == "mean":
        one = layer.mean(1)
    else:
        one = layer.amax(1) if heads == "max" else layer.amin(1)
    return rows_of_one(one if discard == 0 else _without_lowest(one, discard))


def _without_lowest(one: Tensor, share: float) -> Tensor:
    """Zero in the place of a share of each row's weights, the lowest; those of zero do not count.

    A row that had a weight keeps one, for the share is below 1 and rounded down.
    """
    positive = (one > 0).sum(-1, keepdim=True)
    # What is zero already sorts to the front, and is discarded without being counted.
    gone = one.shape[-1] - positive + (share * positive).floor().long()
    rank = one.argsort(dim=-1, stable=True).argsort(-1)
    return one.masked_fill(rank < gone, 0.0)


def beside_residual(one: Tensor, residual: float) -> Tensor:
    """`residual I + (1 - residual) A`; a query that sees nothing is only its residual.

    Where queries and keys differ in number there is no residual, only `A`.
    """
    if one.shape[-1] != one.shape[-2]:
        return one
    eye = torch.eye(one.shape[-1], dtype=one.dtype, device=one.device)
    dead = one.sum(-1, keepdim=True) == 0
    return (residual * eye + (1.0 - residual) * one).where(~dead, eye)
