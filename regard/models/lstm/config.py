"""The sizes of a recurrent text classifier."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, HardPooling, Last, Mean


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(Config):
    """What defines a recurrent text classifier: sizes, and what it makes of its states.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        unknown: the number of `<unk>`, as which words are read that are dropped.
        embed_dim: width of the embeddings.
        hidden_dim: width of the states, of each direction.
        layers: number of recurrent layers, one on top of the other.
        cell: what the layers are made of.
        bidirectional: read backwards too.
        pooling: what the answer is read from: the `last` state (of each direction the one that
            has read everything), the `mean` of all, their sum weighted by `attention`, or the
            one state that a `hard` attention chooses.
        dropout: of embeddings, between layers, and of the pooled vector.
        word_dropout: share of the tokens that are read as `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> LSTMConfig(vocab=8000, classes=2, pooling=HardPooling(estimator="gumbel")).spelled()
    'lstm(vocab=8000, classes=2, pooling=hard(estimator=gumbel))'
    """

    tag = "lstm"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    embed_dim: Count = 100
    hidden_dim: Count = 50
    layers: Count = 1
    cell: Literal["lstm", "gru"] = "lstm"
    bidirectional: bool = True
    pooling: Last | Mean | AttentionPooling | HardPooling = AttentionPooling()
    dropout: Share = 0.5
    word_dropout: Share = 0.2
