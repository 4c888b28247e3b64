"""The configuration of a YouTube candidate generator."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, LargeCount, Natural
from regard.models.attention import Parts
from regard.models.pooling import Mean


@dataclass(frozen=True, kw_only=True)
class QueryPooling(Parts):
    """The sum of the history, weighted by attention between a learned query and the items."""

    tag = "attention"


@dataclass(frozen=True, kw_only=True)
class YouTubeDNNConfig(Config):
    """A YouTube candidate generator; the defaults are for thousands of interactions.

    Args:
        items: number of items, including padding and the unknown one.
        values: number of distinct side-feature values; 1 if there are none.
        feature_columns: number of side features per item.
        first_item: the id of the first item; lower ones are never recommended.
        embed_dim: width of a watch embedding, of the user's vector and of an item's output
            embedding; the paper's is 256.
        layers: of the tower; the last has `embed_dim` units, each one before it twice as many as
            the next, as in the paper's 1024, 512, 256.
        pooling: of the watches: the `mean`, as in the paper, or `attention` with a learned query.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> YouTubeDNNConfig(items=1_000_000, embed_dim=256, layers=3).tower
    (1024, 512, 256)
    """

    tag = "youtube_dnn"
    from_data: ClassVar[tuple[str, ...]] = ("items", "values", "feature_columns", "first_item")

    items: LargeCount
    values: LargeCount = 1
    feature_columns: Natural = 0
    first_item: Natural = 2
    embed_dim: Count = 32
    layers: Annotated[int, Between(least=1, most=8)] = 2
    pooling: Mean | QueryPooling = Mean()

    @property
    def tower(self) -> tuple[int, ...]:
        """The widths of the tower's layers."""
        return tuple(self.embed_dim * 2**above for above in reversed(range(self.layers)))
