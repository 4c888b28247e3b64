"""The configuration of a memory network."""

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
    """A hop reads one sentence: the most likely, or in training one sampled by a softmax.

    Args:
        estimator: the gradient estimator: `reinforce`, or `gumbel` (straight-through).
        temperature: of the straight-through gradient of `gumbel`.
    """

    tag = "hard"

    score: ScoreName = "dot"
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    temperature: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class PositionEncoding(Config):
    """Words are weighted by position: between 0 and 1, relative to the sentence's length."""

    tag = "position"


@dataclass(frozen=True, kw_only=True)
class OfficialPositionEncoding(Config):
    """Words are weighted by position as in the authors' code: around 1, for any sentence length.

    Args:
        max_words: words of the longest sentence, plus one.
    """

    tag = "official_position"

    max_words: Count


@dataclass(frozen=True, kw_only=True)
class BagOfWords(Config):
    """All words have equal weight."""

    tag = "bag"


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Config):
    """The configuration of a memory network; the defaults are the paper's for one bAbI task.

    Args:
        vocab: vocabulary size, including words that occur only as answers.
        end: the id that ends every sentence of a story.
        embed_dim: width of the embeddings; the paper's is 20, or 50 for all tasks together.
        hops: how often the network attends to the story.
        memory_size: sentences in the memory, the latest of the story; the paper's is 50.
        tying: `adjacent`: a hop's value embedding is the next hop's key embedding, the question
            uses the first key embedding and the answer the last value embedding; `layerwise`: all
            hops have the same keys and values, with a matrix between them.
        encoding: how the words of a sentence are weighted: by `position`, by `official_position`,
            or equally, as a `bag`.
        attention: of a hop: `soft` reads all sentences, `hard` one.
        noise: in training, empty sentences of up to this fraction of the story's length are
            added, so that the times of the others are not memorized.
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
