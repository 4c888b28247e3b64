"""The sizes of a convolutional text classifier."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class CNNConfig(Configuration):
    """What defines a convolutional text classifier: sizes, and what it makes of its features.

    The paper's have embeddings of 300, 100 filters each of the widths 3, 4 and 5, the `max` and a
    dropout of a half before the last layer.

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        embed_dim: width of the embeddings.
        filters: number of filters of each width.
        narrowest: how many neighbouring tokens the narrowest filters see; there are filters of
            every width from there to `widest`.
        summary: what the answer is read from: of each filter the `max`, the `mean`, or the sum of
            all positions weighted by `attention` or by attention `guided` by the sentence vector of
            an LSTM.
        align_dim: width of the hidden layer of `attention`.
        hidden_dim: width of the LSTM of `guided`.
        dropout: of the summary.
        word_dropout: share of the tokens that are read as `<unk>` while training.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> CNNConfig(vocab=8000, classes=2, embed_dim=300).summary
    'max'
    """

    model_type: ClassVar[str] = "cnn"
    limits: ClassVar[dict[str, int]] = {"vocab": MOST_TOKENS, "narrowest": 1000, "widest": 1000}

    vocab: int
    classes: int
    embed_dim: int
    filters: int = 100
    narrowest: int = 3
    widest: int = 5
    summary: Literal["max", "mean", "attention", "guided"] = "max"
    align_dim: int = 100
    hidden_dim: int = 100
    dropout: float = 0.0
    word_dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.narrowest > self.widest:
            raise ValueError(
                f"narrowest is {self.narrowest} and widest {self.widest}; exchange them"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """How many tokens the filters see, narrowest first."""
        return tuple(range(self.narrowest, self.widest + 1))
