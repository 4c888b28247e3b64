"""The sizes and choices of a memory network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Configuration):
    """What defines a memory network; the paper's for one bAbI task are the defaults and 3 hops.

    Args:
        vocab: number of different words, those that only answer among them.
        embed_dim: width of the embeddings; the paper's is 20, 50 for all tasks together.
        hops: how often the network looks at the story.
        memory_size: sentences that it remembers, the latest of the story; the paper's are 50.
        tying: `adjacent`: what a hop read as values, the next one reads as keys, the question is
            read as the first keys and the answer from the last values; `layerwise`: all hops have
            the same keys and values, and a matrix between them.
        encoding: of a sentence: `position` weighs its words by their places, `bag` does not.
        variant: of the position weights: the `paper`'s lie between 0 and 1 and depend on the number
            of words of the sentence; the authors' code has them around 1 and counts `max_words`.
        max_words: words of the longest sentence and one more, for the official variant only.
        attention: `hard` reads one sentence a hop.
        estimator: what teaches a hard attention: `reinforce`, or `gumbel` (straight-through).
        noise: while training up to this part of the story's length is added as empty sentences, so
            that the times of the others are not learned by heart.
        dropout: of the vectors of the sentences; the paper has none.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds, or where
    the official variant has no `max_words`.

    >>> MemoryConfig(vocab=30, embed_dim=20, hops=3).tying
    'adjacent'
    """

    model_type: ClassVar[str] = "memory"
    limits: ClassVar[dict[str, int]] = {"vocab": MOST_TOKENS, "hops": 100}

    vocab: int
    embed_dim: int
    hops: int
    memory_size: int = 50
    tying: Literal["adjacent", "layerwise"] = "adjacent"
    encoding: Literal["position", "bag"] = "position"
    variant: Literal["paper", "official"] = "paper"
    max_words: int | None = None
    attention: Literal["soft", "hard"] = "soft"
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    noise: float = 0.1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant == "official" and self.max_words is None:
            raise ValueError(
                "the official position weights need max_words, the words of the longest sentence "
                "and one more, got None"
            )
