"""The configuration of an RNNsearch network."""

from dataclasses import dataclass
from typing import ClassVar

from regard.config import Config, Count, LargeCount, Share
from regard.models.attention import CrossParts, NoAttention
from regard.parts import ScoreName


@dataclass(frozen=True, kw_only=True)
class Search(CrossParts):
    """The decoder attends to all annotations before each output.

    Args:
        score, normalizer, dropout: as in `CrossParts`.
        attention_dim: width that annotations are projected to, once per sentence, and of the
            hidden layer that scores them.
    """

    score: ScoreName = "additive"
    attention_dim: Count = 128


@dataclass(frozen=True, kw_only=True)
class RNNsearchConfig(Config):
    """The configuration of an RNNsearch network: sizes, attention and dropout.

    The paper's has 30 000 words on both sides, embeddings of width 620, 1000 hidden units each in
    both directions, in the decoder and in the alignment, and 500 maxout units.

    Args:
        source_vocab: source vocabulary size.
        target_vocab: target vocabulary size.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoder in each direction, and of the decoder's state; an
            annotation is twice as wide.
        maxout_dim: width of the deep output, after the maximum over pairs.
        attention: `search`, or `none` for the plain encoder-decoder: the decoder sees one vector,
            the last states of both directions, at every step.
        dropout: of embeddings, annotations and the deep output; the paper has none.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> RNNsearchConfig(source_vocab=30_000, target_vocab=30_000, embed_dim=620, hidden_dim=1000,
    ...                 maxout_dim=500, attention=Search(attention_dim=1000)).attention.score
    'additive'
    """

    tag = "rnnsearch"
    from_data: ClassVar[tuple[str, ...]] = ("source_vocab", "target_vocab")

    source_vocab: LargeCount
    target_vocab: LargeCount
    embed_dim: Count = 128
    hidden_dim: Count = 256
    maxout_dim: Count = 128
    attention: Search | NoAttention = Search()
    dropout: Share = 0.3
