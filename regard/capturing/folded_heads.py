"""Batch and heads as one axis, and as two again."""

from torch import Tensor

from regard.capturing.provenance import Scores


def fold(before: Tensor, after: Tensor) -> tuple[int, int] | None:
    """Batch and heads, where a change of layout makes one axis of both, or two of one.

    That is so of two axes next to each other that stand before length and width, and of the heads
    of `[length, batch, heads · width]`, of which `[length, batch · heads, width]` is made.
    """
    old, new = before.shape, after.shape
    if len(new) == 4 and len(old) == 3 and new[2:] == old[1:]:
        return new[0], new[1]
    if len(new) == len(old) - 1 and len(new) in (3, 4):
        for place in range(len(old) - 3):
            joined = (*old[:place], old[place] * old[place + 1], *old[place + 2 :])
            if joined == tuple(new):
                return old[place], old[place + 1]
    if len(new) == len(old) == 3 and old[0] == new[0] and old[1]:
        if new[2] and new[1] % old[1] == 0 and old[2] > new[2]:
            return old[1], new[1] // old[1]
    return None


def packed_heads(before: Tensor, after: Tensor) -> int:
    """How many heads of one query became rows; 0 where that is not what was done."""
    if before.ndim != 4 or after.ndim != 4 or before.shape[2] != 1 or after.shape[2] == 1:
        return 0
    batch, heads, _, width = before.shape
    kept = after.shape[0] == batch and after.shape[3] == width
    return heads if kept and after.shape[1] * after.shape[2] == heads else 0


def in_four_axes(weights: Tensor, lead: int, queries: int, scores: Scores) -> Tensor:
    """`[batch..., queries..., key]` as batch, heads, queries and keys."""
    if queries == 0:
        weights = weights.unsqueeze(-2)
    elif queries > 1:
        weights = weights.flatten(lead, lead + queries - 1)
    if lead == 0:
        return weights[None, None]
    if lead == 1:
        split = scores.split
        if split is not None and split[0] * split[1] == weights.shape[0]:
            return weights.unflatten(0, split)
        return weights[:, None]
    return weights if lead == 2 else weights.flatten(0, lead - 2)
