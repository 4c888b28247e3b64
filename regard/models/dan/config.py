"""The configuration of a deep averaging network."""

from dataclasses import dataclass
from typing import ClassVar

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, Mean


@dataclass(frozen=True, kw_only=True)
class DANConfig(Config):
    """The configuration of a deep averaging network; in the paper, all widths are 300.

    Args:
        vocab: vocabulary size.
        classes: number of classes.
        unknown: the id of `<unk>`, which replaces dropped words.
        embed_dim: width of the embeddings.
        hidden_dim: width of the layers after the pooling.
        layers: number of these layers.
        pooling: the `mean` of the embeddings, as in the paper, or their sum weighted by
            `attention`.
        dropout: of the pooled vector and after each layer.
        word_dropout: fraction of the tokens replaced by `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> DANConfig(vocab=8000, classes=2).pooling
    Mean()
    """

    tag = "dan"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    embed_dim: Count = 100
    hidden_dim: Count = 100
    layers: Count = 2
    pooling: Mean | AttentionPooling = Mean()
    dropout: Share = 0.3
    word_dropout: Share = 0.3
