"""The sizes and choices of a memory network."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, Natural, Positive, Share
from regard.models.attention import Parts, ScoreParts
from regard.parts import ScoreName


@dataclass(frozen=True, kw_only=True)
class SoftReading(Parts):
    """A hop reads the sum of all sentences, weighted by attention."""

    tag = "soft"

    score: ScoreName = "dot"


@dataclass(frozen=True, kw_only=True)
class HardReading(ScoreParts):
    """A hop reads one sentence: the likeliest, or while it learns one drawn by a softmax.

    Args:
        estimator: what teaches it: `reinforce`, or `gumbel` (straight-through).
        temperature: of the gradient that `gumbel` borrows.
    """

    tag = "hard"

    score: ScoreName = "dot"
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    temperature: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class PositionEncoding(Config):
    """Words weigh by their places: between 0 and 1, by the number of words of the sentence."""

    tag = "position"


@dataclass(frozen=True, kw_only=True)
class OfficialPositionEncoding(Config):
    """Words weigh by their places as in the authors' code: around 1, in sentences of any length.

    Args:
        max_words: words of the longest sentence and one more.
    """

    tag = "official_position"

    max_words: Count


@dataclass(frozen=True, kw_only=True)
class BagOfWords(Config):
    """All words weigh alike."""

    tag = "bag"


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Config):
    """What defines a memory network; the paper's for one bAbI task are the defaults.

    Args:
        vocab: number of different words, those that only answer among them.
        end: the number that stands behind every sentence of a story.
        embed_dim: width of the embeddings; the paper's is 20, 50 for all tasks together.
        hops: how often the network looks at the story.
        memory_size: sentences that it remembers, the latest of the story; the paper's are 50.
        tying: `adjacent`: what a hop read as values, the next one reads as keys, the question is
            read as the first keys and the answer from the last values; `layerwise`: all hops have
            the same keys and values, and a matrix between them.
        encoding: how the words of a sentence weigh: by their `position`, by `official_position`,
            or as a `bag`.
        attention: of a hop: `soft` reads all sentences, `hard` one.
        noise: while training up to this part of the story's length is added as empty sentences, so
            that the times of the others are not learned by heart.
        dropout: of the vectors of the sentences; the paper has none.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> MemoryConfig(vocab=30, attention=HardReading(estimator="gumbel")).spelled()
    'memory(vocab=30, attention=hard(estimator=gumbel))'
    """

    tag = "memory"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "end")

    vocab: LargeCount
    end: Natural = 3
    embed_dim: Count = 20
    hops: Annotated[int, Between(least=1, most=100)] = 3
    memory_size: Count = 50
    tying: Literal["adjacent", "layerwise"] = "adjacent"
    encoding: PositionEncoding | OfficialPositionEncoding | BagOfWords = PositionEncoding()
    attention: SoftReading | HardReading = SoftReading()
    noise: Share = 0.1
    dropout: Share = 0.0
