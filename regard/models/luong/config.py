"""The configuration of Luong's network, and which of its forms it is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, Share
from regard.models.attention import CrossParts, NoAttention
from regard.parts import ScoreName


@dataclass(frozen=True, kw_only=True)
class Global(CrossParts):
    """The decoder attends to all keys.

    The paper's scores are `general`, `dot`, `luong_concat` and `location`.

    Args:
        score, normalizer, dropout: as in `CrossParts`.
        input_feeding: feed each step the previous step's attentional state.
    """

    score: ScoreName = "general"
    input_feeding: bool = True


@dataclass(frozen=True, kw_only=True)
class LocalM(CrossParts):
    """The decoder attends near the key at the output's own position.

    Args:
        score, normalizer, dropout: as in `CrossParts`.
        window: number of keys visible on each side.
        input_feeding: as in `Global`.
    """

    tag = "local_m"

    score: ScoreName = "general"
    window: Count = 10
    input_feeding: bool = True


@dataclass(frozen=True, kw_only=True)
class LocalP(Config):
    """The decoder attends near a position that it predicts; farther keys count less.

    Args:
        score: the similarity of query and key.
        window: number of keys visible on each side.
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
    """The configuration of the network of Luong, Pham & Manning.

    The paper's have 50 000 words on both sides, four layers, all widths 1000, a window of 10 keys
    on each side, and dropout of 0.2.

    Args:
        source_vocab: source vocabulary size.
        target_vocab: target vocabulary size.
        max_source_length: the largest number of source tokens, needed by the `location` score.
        embed_dim: width of the embeddings.
        hidden_dim: width of every layer of both LSTMs, and of the output layer's input.
        layers: number of stacked LSTMs, in the encoder and in the decoder.
        attention: to all keys (`global`), near the key at the output's own position (`local_m`),
            near a position that the decoder predicts (`local_p`), or none (`none`, the plain
            encoder-decoder).
        dropout: of embeddings, between layers and of the output layer's input.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds, and for a
    location score without the largest number of source tokens.

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
        """Whether each step gets the previous attentional state; never without attention."""
        return getattr(self.attention, "input_feeding", False)
