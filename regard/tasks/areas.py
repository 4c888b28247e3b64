"""What a network saw in an image, over the image itself: for the page of a run."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from regard.data.encoding.decoded import RGB
from regard.tasks.picture_coder import patch_names, shown_picture
from regard.view.patches import Patches

FINEST = 14
"""Patches along the longer side of an image."""
MOST_MAPS = 12


@dataclass(frozen=True, eq=False)
class Areas:
    """Maps over an image, each with a name; the fields are those of an `Answer`.

    Args:
        inputs: the patches, row by row.
        outputs: the maps' names.
        picture: the image.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Float[Tensor, "q_len k_len"]
    picture: Patches


def areas(
    picture: RGB, maps: Mapping[str, Float[Tensor, "height width"]], sums: bool = False
) -> Areas | None:
    """Some maps over an image, at one resolution; None if there are no maps.

    Args:
        sums: whether a coarser map holds sums, as weights that sum to 1 need, or means.

    >>> import numpy as np
    >>> seen = areas(np.zeros((28, 56, 3), np.uint8), {"gate": torch.ones(2, 4)})
    >>> seen.weights.shape, seen.inputs[-1]
    (torch.Size([1, 8]), 'r2 c4')
    """
    kept = dict(list(maps.items())[-MOST_MAPS:])
    if not kept:
        return None
    height, width = picture.shape[:2]
    finest = [max(each.shape[axis] for each in kept.values()) for axis in (0, 1)]
    rows, columns = (
        min(most, side, max(1, round(FINEST * side / max(height, width))))
        for most, side in zip(finest, (height, width), strict=True)
    )
    flat = [_at(each.float(), (rows, columns), sums).flatten() for each in kept.values()]
    shown = shown_picture(picture, rows, columns)
    return Areas(patch_names(rows, columns), tuple(kept), torch.stack(flat), shown)


def _at(
    one: Float[Tensor, "height width"], grid: tuple[int, int], sums: bool
) -> Float[Tensor, "rows columns"]:
    down, across = (_overlaps(*each) for each in zip(one.shape, grid, strict=True))
    summed = down @ one @ across.mT
    return summed if sums else summed * (grid[0] * grid[1] / one.numel())


def _overlaps(length: int, parts: int) -> Float[Tensor, "parts length"]:
    """How much of each unit of a length lies in each of its equal parts.

    >>> _overlaps(3, 2)
    tensor([[1.0000, 0.5000, 0.0000],
            [0.0000, 0.5000, 1.0000]])
    """
    edges = torch.arange(parts + 1)[:, None] * length / parts
    covered = (edges - torch.arange(length)).clamp(0, 1)
    return covered[1:] - covered[:-1]
