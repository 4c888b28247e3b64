"""The sizes of a hierarchical attention network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class HANConfig(Configuration):
    """What defines a hierarchical attention network: sizes, and how each level is summed up.

    The paper's are embeddings of 200, 50 hidden units in each direction and 100 for the attention
    on both levels, without dropout. Its HN-AVE has `mean` on both.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoders, of each direction; a sentence has twice as much.
        align_dim: width of the hidden layers that the contexts are compared with.
        words: how the words of a sentence are summed up.
        sentences: how the sentences of a document are summed up.
        dropout: of embeddings, sentences and the document.
        word_dropout: share of the words that are read as `<unk>` while training.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> HANConfig(vocab=30_000, classes=5, embed_dim=200, hidden_dim=50, align_dim=100).words
    'attention'
    """

    model_type: ClassVar[str] = "han"
    limits: ClassVar[dict[str, int]] = {"vocab": MOST_TOKENS}

    vocab: int
    classes: int
    embed_dim: int
    hidden_dim: int
    align_dim: int = 100
    words: Literal["attention", "mean"] = "attention"
    sentences: Literal["attention", "mean"] = "attention"
    dropout: float = 0.0
    word_dropout: float = 0.0
