"""The sizes of a recurrent text classifier."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(Configuration):
    """What defines a recurrent text classifier: sizes, and what it makes of its states.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        embed_dim: width of the embeddings.
        hidden_dim: width of the states, of each direction.
        layers: number of recurrent layers, one on top of the other.
        align_dim: width of the hidden layer of the attention, where there is one.
        cell: what the layers are made of.
        directions: 1 reads forwards, 2 backwards too.
        summary: what the answer is read from: the `last` state (of each direction the one that
            has read everything), the `mean` of all, their sum weighted by `attention`, or the
            one state a `hard` attention chooses.
        estimator: how a hard attention learns (see `regard.layers.HardPool`).
        dropout: of embeddings, between layers, and of the summary.
        word_dropout: share of the tokens that are read as `<unk>` while training.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> LSTMConfig(vocab=8000, classes=2, embed_dim=100, hidden_dim=100).summary
    'attention'
    """

    model_type: ClassVar[str] = "lstm"
    limits: ClassVar[dict[str, int]] = {"vocab": MOST_TOKENS, "layers": 1000, "directions": 2}

    vocab: int
    classes: int
    embed_dim: int
    hidden_dim: int
    layers: int = 1
    align_dim: int = 100
    cell: Literal["lstm", "gru"] = "lstm"
    directions: int = 2
    summary: Literal["last", "mean", "attention", "hard"] = "attention"
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    dropout: float = 0.0
    word_dropout: float = 0.0
