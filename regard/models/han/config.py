"""The configuration of a hierarchical attention network."""

from dataclasses import dataclass
from typing import ClassVar

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, Mean


@dataclass(frozen=True, kw_only=True)
class HANConfig(Config):
    """The configuration of a hierarchical attention network: sizes, and pooling at each level.

    The paper's has embeddings of width 200, 50 hidden units in each direction and 100 for the
    attention at both levels, without dropout. Its HN-AVE has `mean` at both.

    Args:
        vocab: vocabulary size.
        classes: number of classes.
        unknown: the id of `<unk>`, which replaces dropped words.
        end: the id of `</s>`, which ends a sentence.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoders in each direction; a sentence vector is twice as wide.
        word_pooling: how words form a sentence: the `mean` of their states, or their sum weighted
            by `attention`.
        sentence_pooling: the same for sentences and a document.
        dropout: of embeddings, sentences and the document.
        word_dropout: fraction of the words replaced by `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> HANConfig(vocab=30_000, classes=5, sentence_pooling=Mean()).spelled()
    'han(vocab=30000, classes=5, sentence_pooling=mean)'
    """

    tag = "han"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown", "end")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    end: Natural = 3
    embed_dim: Count = 50
    hidden_dim: Count = 25
    word_pooling: Mean | AttentionPooling = AttentionPooling()
    sentence_pooling: Mean | AttentionPooling = AttentionPooling()
    dropout: Share = 0.3
    word_dropout: Share = 0.1
