"""The sizes of a deep averaging network."""

from dataclasses import dataclass
from typing import ClassVar

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, Mean


@dataclass(frozen=True, kw_only=True)
class DANConfig(Config):
    """What defines a deep averaging network; the paper's has embeddings and layers of 300.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        unknown: the number of `<unk>`, as which words are read that are dropped.
        embed_dim: width of the embeddings.
        hidden_dim: width of the layers behind the pooled vector.
        layers: how many of them there are.
        pooling: the `mean` of the embeddings, the paper's, or their sum weighted by `attention`.
        dropout: of the pooled vector and behind each layer.
        word_dropout: share of the tokens that are read as `<unk>` while training.

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
