"""Values of image tokens arranged as the image."""

import math
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Pair = tuple[int, int]
MOST_SPECIAL = 8
"""Maximum number of class and register tokens before a square of patches."""


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Values of patches as they lie in the image, and those of the tokens before them.

    Args:
        patches: `[..., rows, columns]`.
        special: values of class and register tokens, `[..., count]`.
    """

    patches: Float[Tensor, "*batch rows columns"]
    special: Float[Tensor, "*batch count"]


def patch_grid(
    values: Float[Tensor, "*batch tokens"], size: Pair | None = None, *, special: int | None = None
) -> PatchGrid:
    """The last axis, one value per token, as an image: row by row, from the upper left.

    Args:
        values: such as a row of weights, `weights[..., 0, :]`: what the class token attends to.
        size: rows and columns of patches; None for a square, which needs `special`.
        special: number of tokens before the patches; if None, the tokens left over by `size`.

    Raises:
        ValueError, TypeError: tokens that do not form such an image.

    Example:
        >>> import torch
        >>> found = patch_grid(torch.arange(7.0), (2, 3))
        >>> found.patches, found.special
        (tensor([[1., 2., 3.],
                [4., 5., 6.]]), tensor([0.]))
    """
    if not isinstance(values, Tensor) or not values.ndim:
        raise TypeError("patch_grid needs values as a tensor [..., tokens].")
    tokens = values.shape[-1]
    if size is None and special is None:
        raise ValueError(
            f"patch_grid cannot tell how many of {tokens} tokens are patches; say size=(rows, "
            "columns), or special=1 for one class token and a square of patches."
        )
    rows, columns, front = placed("patch_grid", "size", tokens, size, special)
    if tokens - front != rows * columns:
        raise _no_patches("patch_grid", "size", tokens, (rows, columns), special)
    patches = values[..., front:].unflatten(-1, (rows, columns))
    return PatchGrid(patches, values[..., :front])


def placed(
    owner: str, name: str, tokens: int, size: Pair | None, special: int | None
) -> tuple[int, int, int]:
    """Rows, columns, and the number of special tokens, for this many tokens.

    Args:
        owner, name: whose argument the size is, for error messages.
        size: None for a square.
        special: None for what the patches leave over; at most eight for a square.

    Raises:
        ValueError: tokens that do not form such patches.

    Example:
        >>> placed("a", "size", 197, None, None), placed("a", "size", 12, (2, 5), 1)
        ((14, 14, 1), (2, 5, 1))
    """
    if size is None:
        side = math.isqrt(max(tokens - (special or 0), 0))
        rows, columns = side, side
    else:
        rows, columns = pair_of(owner, name, size)
    left = tokens - rows * columns
    front = left if special is None else special
    fits = 0 <= front <= left
    if size is None:
        fits = rows > 0 and front == left and (special is not None or front <= MOST_SPECIAL)
    if not fits:
        raise _no_patches(owner, name, tokens, (rows, columns), special)
    return rows, columns, front


def _no_patches(owner: str, name: str, tokens: int, size: Pair, special: int | None) -> ValueError:
    return ValueError(
        f"{owner}: {tokens:,} tokens are no {size[0]} × {size[1]} patches behind "
        f"{'any' if special is None else special} special ones; say {name}=(rows, columns) of the "
        "picture as the network saw it."
    )


def grid_size(image: Pair, patch: int | Pair) -> Pair:
    """Rows and columns of patches in an image of (height, width); the remainder is cut off.

    Raises:
        ValueError: a patch that is larger than the image.

    Example:
        >>> grid_size((224, 160), 16)
        (14, 10)
    """
    height, width = pair_of("grid_size", "image", image)
    tall, wide = pair_of("grid_size", "patch", (patch, patch) if isinstance(patch, int) else patch)
    if tall > height or wide > width:
        raise ValueError(
            f"grid_size: a patch of {tall} × {wide} does not fit a picture of {height} × {width}."
        )
    return height // tall, width // wide


def to_pixels(
    patches: Float[Tensor, "*batch rows columns"],
    size: Pair,
    method: Literal["nearest", "bilinear"] = "nearest",
) -> Float[Tensor, "*batch height width"]:
    """A value for each pixel of an image of (height, width).

    "nearest" gives each pixel the value of its patch; "bilinear" interpolates between the centers
    of patches.

    Raises:
        ValueError: patches without rows and columns, no size, or an unknown method.

    Example:
        >>> import torch
        >>> to_pixels(torch.tensor([[0.0, 1.0]]), (1, 4)), to_pixels(
        ...     torch.tensor([[0.0, 1.0]]), (1, 4), "bilinear"
        ... )
        (tensor([[0., 0., 1., 1.]]), tensor([[0.0000, 0.2500, 0.7500, 1.0000]]))
    """
    if patches.ndim < 2 or 0 in patches.shape[-2:]:
        raise ValueError(f"to_pixels needs patches [..., rows, columns], got {[*patches.shape]}.")
    if method not in ("nearest", "bilinear"):
        raise ValueError(f'to_pixels knows the methods "nearest" and "bilinear", got {method!r}.')
    height, width = pair_of("to_pixels", "size", size)
    flat = patches.reshape(1, -1, *patches.shape[-2:])
    if method == "nearest":
        pixels = F.interpolate(flat, (height, width), mode="nearest-exact")
    else:
        pixels = F.interpolate(flat, (height, width), mode="bilinear", align_corners=False)
    return pixels.reshape(*patches.shape[:-2], height, width)


def pair_of(owner: str, name: str, pair: Pair) -> Pair:
    """Two integers of at least 1; raises `ValueError` for anything else."""
    whole = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not whole or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in pair):
        raise ValueError(f"{owner} needs {name} as two whole numbers of at least 1, got {pair!r}.")
    return pair[0], pair[1]
