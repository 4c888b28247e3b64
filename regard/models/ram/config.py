"""The configuration of the recurrent attention model."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from regard.config import Between, Config, Count, NonNegative, Positive


@dataclass(frozen=True, kw_only=True)
class RAMConfig(Config):
    """An image classifier that sees a few glimpses.

    Args:
        channels: channels of an image.
        classes: number of labels.
        patch_size: pixels along each side of a patch.
        patches: number of concentric patches, each `scale` times as wide and coarse as the last.
        scale: ratio between the widths of successive patches.
        glimpses: number of glimpses.
        hidden_dim: width of the patch features, and of the location features.
        embed_dim: width of a glimpse, and of the states.
        std: standard deviation of the sampled locations, in an image from -1 to 1; the authors
            tuned theirs, and widely used code has 0.05.
        first: location of the first glimpse in training: `anywhere` at random, or in the `middle`,
            where it always is in evaluation.
        reinforce: weight of the REINFORCE loss.
        samples: number of sampled trajectories whose predictions are averaged in evaluation; 0
            uses the mean locations.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> RAMConfig(classes=10, patch_size=12, patches=3).reads
    1296
    """

    tag = "ram"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "classes")

    channels: Count = 3
    classes: Count
    patch_size: Annotated[int, Between(least=1, most=1024)] = 8
    patches: Annotated[int, Between(least=1, most=8)] = 1
    scale: Annotated[int, Between(least=1, most=8)] = 2
    glimpses: Annotated[int, Between(least=1, most=256)] = 6
    hidden_dim: Count = 128
    embed_dim: Count = 256
    std: Positive = 0.1
    first: Literal["anywhere", "middle"] = "anywhere"
    reinforce: NonNegative = 1.0
    samples: Annotated[int, Between(least=0, most=1000)] = 0

    @property
    def reads(self) -> int:
        """The number of values in one glimpse."""
        return self.channels * self.patches * self.patch_size**2
