"""The configuration of the U-Net."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count


@dataclass(frozen=True, kw_only=True)
class UNetConfig(Config):
    """A U-Net for semantic segmentation.

    Args:
        channels: channels of an image.
        classes: number of classes.
        depth: number of downsampling steps; the paper's is 4.
        width: channels of the largest maps, doubled at each step; the paper's is 64.
        gates: whether the skip connections have attention gates.

    >>> UNetConfig(classes=3, depth=2).widths
    (64, 128, 256)
    """

    tag = "unet"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "classes")

    channels: Count = 3
    classes: Count
    depth: Annotated[int, Between(least=1, most=8)] = 4
    width: Annotated[int, Between(least=1, most=1024)] = 64
    gates: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of the maps of each size, the largest first."""
        return tuple(self.width * 2**level for level in range(self.depth + 1))
