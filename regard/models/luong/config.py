"""The sizes of Luong's network, and which of its forms it is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, Share
from regard.models.attention import CrossParts, NoAttention
from regard.parts import ScoreName


@dataclass(frozen=True, kw_only=True)
class Global(CrossParts):
    """The decoder looks at all keys.

    The paper's scores are `general`, `dot`, `luong_concat` and `location`.

    Args:
        score, normalizer, dropout: as in `CrossParts`.
        input_feeding: give each step what the step before it found.
    """

    score: ScoreName = "general"
    input_feeding: bool = True


@dataclass(frozen=True, kw_only=True)
class LocalM(CrossParts):
    """It looks near the key that stands where the output stands.

    Args:
        score, normalizer, dropout: as in `CrossParts`.
        window: how many keys to each side it sees.
        input_feeding: as in `Global`.
    """

    tag = "local_m"

    score: ScoreName = "general"
    window: Count = 10
    input_feeding: bool = True


@dataclass(frozen=True, kw_only=True)
class LocalP(Config):
    """It looks near a place that it predicts; keys count less the further from it they are.

    Args:
        score: how alike are query and key?
        window: how many keys to each side it sees.
        variant: `paper`, or the `official` code where it differs, see `LuongAttention`.
        input_feeding: as in `Global`.
    """

    tag = "local_p"

    score: ScoreName = "general"
    window: Count = 10
    variant: Literal["paper", "official"] = "paper"
    input_feeding: bool = True


@dataclass(frozen=True, kw_only=True)
class LuongConfig(Config):
    """What defines a network of Luong, Pham & Manning.

    The paper's have 50 000 words on both sides, four layers, everything 1000 wide, a window of 10
    keys to each side, and dropout of 0.2.

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        max_source_length: the largest number of source tokens, which the `location` score has to
            know.
        embed_dim: width of the embeddings.
        hidden_dim: width of every layer of both LSTMs, and of what the output layer reads.
        layers: how many LSTMs stand one over the other, in the encoder and in the decoder.
        attention: where to look: at all keys (`global`), near the key that stands where the output
            stands (`local_m`), near a place that the decoder predicts (`local_p`), or nowhere
            (`none`, the encoder-decoder that attention was invented against).
        dropout: of embeddings, between layers and of what the output layer reads.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds, and for a
    location score that does not know the largest number of source tokens.

    >>> LuongConfig(source_vocab=50_000, target_vocab=50_000, embed_dim=1000, hidden_dim=1000,
    ...             layers=4, attention=LocalP(), dropout=0.2).attention.window
    10
    """

    tag = "luong"
    from_data: ClassVar[tuple[str, ...]] = ("source_vocab", "target_vocab", "max_source_length")

    source_vocab: LargeCount
    target_vocab: LargeCount
    max_source_length: LargeCount | None = None
    embed_dim: Count = 128
    hidden_dim: Count = 256
    layers: Annotated[int, Between(least=1, most=1000)] = 2
    attention: Global | LocalM | LocalP | NoAttention = Global()
    dropout: Share = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        score = getattr(self.attention, "score", None)
        if score == "location" and self.max_source_length is None:
            raise ValueError(
                "the location score has a weight for every source position and max_source_length "
                "is None: set it to the largest number of source tokens"
            )

    @property
    def input_feeding(self) -> bool:
        """Is each step given what the step before it found? Without attention nothing is."""
        return getattr(self.attention, "input_feeding", False)
