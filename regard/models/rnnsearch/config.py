"""The sizes of an RNNsearch network."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class RNNsearchConfig(Configuration):
    """What defines an RNNsearch network: sizes, and how much of it is left out while training.

    The paper's are 30 000 words on both sides, embeddings of 620, 1000 hidden units each in both
    directions, in the decoder and in the alignment, and 500 maxout units.

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoder, of each direction; an annotation has twice as much.
        state_dim: width of the decoder's state.
        align_dim: width of the hidden layer that scores an alignment.
        maxout_dim: width of the deep output, after the maximum over pairs.
        dropout: of embeddings, annotations and the deep output; the paper has none.
        attention: `search`, or `none` for the encoder-decoder that it was invented against: the
            decoder sees one vector, the last states of both directions, at every step.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> RNNsearchConfig(source_vocab=30_000, target_vocab=30_000, embed_dim=620, hidden_dim=1000,
    ...                 state_dim=1000, align_dim=1000, maxout_dim=500).state_dim
    1000
    """

    model_type: ClassVar[str] = "rnnsearch"
    added: ClassVar[dict[str, Any]] = {"attention": "search"}
    limits: ClassVar[dict[str, int]] = {"source_vocab": MOST_TOKENS, "target_vocab": MOST_TOKENS}

    source_vocab: int
    target_vocab: int
    embed_dim: int
    hidden_dim: int
    state_dim: int
    align_dim: int
    maxout_dim: int
    dropout: float = 0.0
    attention: Literal["search", "none"] = "search"
