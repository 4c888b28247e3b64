"""The sizes of a hierarchical attention network."""

from dataclasses import dataclass
from typing import ClassVar

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.pooling import AttentionPooling, Mean


@dataclass(frozen=True, kw_only=True)
class HANConfig(Config):
    """What defines a hierarchical attention network: sizes, and how each level is pooled.

    The paper's are embeddings of 200, 50 hidden units in each direction and 100 for the attention
    on both levels, without dropout. Its HN-AVE has `mean` on both.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        unknown: the number of `<unk>`, as which words are read that are dropped.
        end: the number of `</s>`, which ends a sentence.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoders, of each direction; a sentence has twice as much.
        word_pooling: what a sentence is made of: the `mean` of its words' states, or their sum
            weighted by `attention`.
        sentence_pooling: the same of a document and its sentences.
        dropout: of embeddings, sentences and the document.
        word_dropout: share of the words that are read as `<unk>` while training.

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
