"""The sizes of the recurrent attention model."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from regard.config import Between, Config, Count, NonNegative, Positive


@dataclass(frozen=True, kw_only=True)
class RAMConfig(Config):
    """A network that labels pictures by a few glimpses of them.

    Args:
        channels: numbers of a pixel.
        classes: number of different labels.
        patch_size: pixels along each side of a patch.
        patches: how many lie around one place, each of `scale` times the one before and as coarse.
        scale: how many times larger each patch is than the one within it.
        glimpses: how often the network looks.
        hidden_dim: width of what is made of the patches, and of what is made of their place.
        embed_dim: width of a glimpse, and of the states.
        std: deviation of the places that are drawn around the mean, where a picture is from -1 to
            1; the authors' was searched, and widely used code has 0.05.
        first: where the first glimpse is while training: `anywhere` at random, or in the `middle`,
            where it always is afterwards.
        reinforce: what the drawn places count in the loss.
        samples: how many ways of looking are drawn when it is asked, whose answers are averaged; 0
            for the one that looks at the means.

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
        """The numbers of one glimpse."""
        return self.channels * self.patches * self.patch_size**2
