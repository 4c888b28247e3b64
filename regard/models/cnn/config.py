"""The sizes of a convolutional text classifier."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, GuidedPooling, Max, Mean

Width = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class CNNConfig(Config):
    """What defines a convolutional text classifier: sizes, and what it makes of its features.

    The paper's have embeddings of 300, 100 filters each of the widths 3, 4 and 5, the `max` and a
    dropout of a half before the last layer.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        unknown: the number of `<unk>`, as which words are read that are dropped.
        embed_dim: width of the embeddings.
        filters: number of filters of each width.
        widths: how many neighbouring tokens the filters see.
        pooling: what the answer is read from: of each filter the `max`, the `mean`, or the sum of
            all positions weighted by `attention` or by attention `guided` by the sentence vector of
            an LSTM.
        dropout: of the pooled vector.
        word_dropout: share of the tokens that are read as `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> CNNConfig(vocab=8000, classes=2, widths=(2, 3), pooling=GuidedPooling()).spelled()
    'cnn(vocab=8000, classes=2, widths=(2, 3), pooling=guided)'
    """

    tag = "cnn"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    embed_dim: Count = 100
    filters: Count = 50
    widths: tuple[Width, ...] = (3, 4, 5)
    pooling: Max | Mean | AttentionPooling | GuidedPooling = Max()
    dropout: Share = 0.5
    word_dropout: Share = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths:
            raise ValueError("widths holds 0 widths, not at least 1: give some, such as (3, 4, 5)")
