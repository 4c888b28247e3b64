"""Images as tokens with positions: the first layer of a vision transformer."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers.dropout import Dropout
from regard.positions import Learned

Size = tuple[int, int]
"""Height and width."""


class PatchEmbedding(nn.Module):
    """The patches of an image as tokens, after a class token.

        output = dropout([c; W patch_1 + b; W patch_2 + b; ...] + P)

    Patches are in reading order, their values by channel, row and column. Pixels that do not fill
    a whole patch are ignored. Images are cast to the dtype of the weights.

    Args:
        image_size: height and width covered by the position embedding.
        patch_size: height and width of a patch.

    Raises `ValueError` for images of another size or number of channels, and `TypeError` for
    images that are not floating-point.

    Example:
        >>> layer = PatchEmbedding(6, image_size=(8, 8), patch_size=(4, 4))
        >>> layer(torch.randn(2, 3, 8, 8)).shape
        torch.Size([2, 5, 6])
        >>> layer(torch.randn(2, 3, 8, 12), interpolate=True).shape
        torch.Size([2, 7, 6])

    References:
        Dosovitskiy et al. An Image is Worth 16x16 Words: Transformers for Image Recognition at
        Scale. 2021. https://arxiv.org/abs/2010.11929
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        image_size: Size,
        patch_size: Size,
        channels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.image_size, self.patch_size, self.channels = image_size, patch_size, channels
        rows, columns = self.grid(image_size)
        if not rows or not columns:
            raise ValueError(
                f"an image of {_said(image_size)} has no patch of {_said(patch_size)}; make "
                "patch_size smaller"
            )
        self.projection = nn.Linear(channels * patch_size[0] * patch_size[1], embed_dim)
        self.class_token = nn.Parameter(torch.zeros(embed_dim))
        self.positions = Learned(1 + rows * columns, embed_dim)
        self.dropout = Dropout(dropout)

    def grid(self, size: Size) -> Size:
        """The number of rows and columns of patches in an image of this size."""
        return size[0] // self.patch_size[0], size[1] // self.patch_size[1]

    def forward(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "batch tokens embed_dim"]:
        """With `interpolate`, images may have any size: positions are interpolated bicubically."""
        self._require_fit(images, interpolate)
        (height, width), (rows, columns) = (
            self.patch_size,
            self.grid((images.shape[2], images.shape[3])),
        )
        whole = images[:, :, : rows * height, : columns * width].to(self.class_token.dtype)
        patches = rearrange(
            whole, "batch c (rows p) (columns q) -> batch (rows columns) (c p q)", p=height, q=width
        )
        projected = self.projection(patches)
        first = self.class_token.to(projected.dtype).expand(images.shape[0], 1, -1)
        tokens = torch.cat([first, projected], dim=1)
        return self.dropout(tokens + self._positions((rows, columns)))

    def _positions(self, grid: Size) -> Float[Tensor, "tokens embed_dim"]:
        """Vectors of the places of a grid of patches, the first token's before them."""
        rows, columns = known = self.grid(self.image_size)
        if grid == known:
            return self.positions.weight
        first, places = self.positions.weight[:1], self.positions.weight[1:]
        placed = rearrange(places, "(rows columns) d -> 1 d rows columns", rows=rows)
        # Whole sizes, not their ratio: that, rounded, can be a patch too few.
        between = F.interpolate(placed, size=grid, mode="bicubic", align_corners=False)
        return torch.cat([first, rearrange(between, "1 d rows columns -> (rows columns) d")])

    def _require_fit(self, images: Tensor, interpolate: bool) -> None:
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"images must be [batch, {self.channels} channels, height, width], got "
                f"{[*images.shape]}"
            )
        if not images.is_floating_point():
            raise TypeError(
                f"images are {images.dtype}, and must be floating-point numbers; divide by 255 and "
                "normalize them as those that the network learned from"
            )
        size = (images.shape[2], images.shape[3])
        if size != self.image_size and not interpolate:
            raise ValueError(
                f"images are {_said(size)} (height x width), and there are positions for "
                f"{_said(self.image_size)}; resize them, or say interpolate=True"
            )
        if min(self.grid(size)) < 1:
            raise ValueError(
                f"images are {_said(size)} (height x width), less than a patch of "
                f"{_said(self.patch_size)}; enlarge them"
            )


def _said(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
