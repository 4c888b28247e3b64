"""The sizes of a YouTube candidate generator."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class YouTubeDNNConfig(Configuration):
    """What defines a YouTube candidate generator.

    Args:
        items: how many items there are, padding and the unknown one included.
        values: how many numbers the items' side features have; 1 where there are none.
        embed_dim: width of one watch embedding, of the user's vector and of an item's output.
        layers: of the tower; the last has `embed_dim` units, each one before it twice as many as
            the next, as in the paper's 1024, 512, 256.
        pool: "mean" of the watches, the paper's, or "attention" with a learned query.
        samples: items drawn for the sampled softmax of one batch; the paper's are thousands.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> YouTubeDNNConfig(items=1_000_000, embed_dim=256).tower
    (1024, 512, 256)
    """

    model_type: ClassVar[str] = "youtube_dnn"
    limits: ClassVar[dict[str, int]] = {
        "items": MOST_TOKENS,
        "values": MOST_TOKENS,
        "layers": 8,
        "samples": MOST_TOKENS,
    }

    items: int
    values: int = 1
    embed_dim: int = 64
    layers: int = 3
    pool: Literal["mean", "attention"] = "mean"
    samples: int = 512

    @property
    def tower(self) -> tuple[int, ...]:
        """The widths of the tower's layers."""
        return tuple(self.embed_dim * 2**above for above in reversed(range(self.layers)))
