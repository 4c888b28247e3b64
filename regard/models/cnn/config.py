"""The configuration of a convolutional text classifier."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, GuidedPooling, Max, Mean

Width = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class CNNConfig(Config):
    """The configuration of a convolutional text classifier: sizes, and pooling.

    The paper's have embeddings of width 300, 100 filters each of widths 3, 4 and 5, `max` pooling
    and a dropout of 0.5 before the last layer.

    Args:
        vocab: vocabulary size.
        classes: number of classes.
        unknown: the id of `<unk>`, which replaces dropped words.
        embed_dim: width of the embeddings.
        filters: number of filters of each width.
        widths: how many adjacent tokens the filters see.
        pooling: of each filter over all positions: the `max`, the `mean`, or the sum weighted by
            `attention`, or by attention `guided` by the sentence vector of an LSTM.
        dropout: of the pooled vector.
        word_dropout: fraction of the tokens replaced by `<unk>` while training.

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
