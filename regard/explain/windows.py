"""Attention within windows, mapped back to the whole feature map."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import positions_in
from regard.explain.patches import Pair, pair_of


def window_map(
    weights: Float[Tensor, "batch_windows heads slots slots"],
    size: Pair,
    window: int | Pair,
    *,
    shift: int | Pair = 0,
    queries: Iterable[int] | None = None,
) -> Float[Tensor, "batch heads queries places"]:
    """Weights within windows as weights over the whole map; 0 outside of a query's window.

    The windows are those of Swin: a map of rows × columns places, padded on the right and at the
    bottom until windows fit, is rolled up and to the left by `shift` and split into windows, row
    by row. The padding is removed again.

    Args:
        weights: `[batch × windows, heads, slots, slots]`, all windows of an item consecutively.
        size: rows and columns of the map.
        window: rows and columns of a window, or one number for both.
        shift: by how much it was rolled; 0 in every other layer, and if one window covers all.
        queries: places, `row × columns + column`, whose rows to return; all if None, which is
            places² numbers per head.

    Returns:
        `[batch, heads, queries, places]`.

    Raises:
        ValueError, IndexError: windows that do not form such a map, or a place that does not exist.

    Example:
        >>> w = torch.eye(2).expand(2, 1, 2, 2)
        >>> window_map(w, (1, 4), (1, 2), shift=(0, 1), queries=[0])
        tensor([[[[1., 0., 0., 0.]]]])

    References:
        Liu, Lin, Cao et al. Swin Transformer: Hierarchical Vision Transformer using Shifted
        Windows. 2021. https://arxiv.org/abs/2103.14030
    """
    rows, columns = pair_of("window_map", "size", size)
    window = (window, window) if isinstance(window, int) else window
    tall, wide = pair_of("window_map", "window", window)
    moved = (shift, shift) if isinstance(shift, int) else shift
    place = _places(rows, columns, tall, wide, moved)
    count, slots = place.shape
    if weights.ndim != 4 or weights.shape[2:] != (slots, slots) or len(weights) % count:
        raise ValueError(
            f"window_map: a map of {rows} × {columns} has {count} windows of {slots} places, so "
            f"that weights are [batch × {count}, heads, {slots}, {slots}], got {[*weights.shape]}."
        )
    total = rows * columns
    wanted = (
        list(range(total))
        if queries is None
        else positions_in("window_map", "queries", queries, total)
    )
    # Each place is in one window; -1 is what was added.
    home = torch.empty(total + 1, dtype=torch.long)
    home[place.flatten()] = torch.arange(count * slots)
    at = home[wanted]
    by_window = weights.unflatten(0, (-1, count)).transpose(1, 2)
    found = by_window[:, :, at // slots, at % slots]
    whole = found.new_zeros(*found.shape[:-1], total + 1)
    keys = (place % (total + 1))[at // slots].to(found.device)
    return whole.scatter(-1, keys.expand_as(found), found)[..., :total]


def _places(rows: int, columns: int, tall: int, wide: int, shift: Pair) -> Tensor:
    """Which place of the map is in each slot of each window, `[windows, slots]`; -1 for none."""
    down, across = -(-rows // tall), -(-columns // wide)
    padded = torch.full((down * tall, across * wide), -1)
    padded[:rows, :columns] = torch.arange(rows * columns).reshape(rows, columns)
    rolled = padded.roll((-shift[0], -shift[1]), (0, 1))
    return rolled.reshape(down, tall, across, wide).transpose(1, 2).reshape(down * across, -1)
