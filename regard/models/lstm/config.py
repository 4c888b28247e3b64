"""The configuration of a recurrent text classifier, and of a tagger."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.attention import NoAttention, Parts
from regard.models.pooling import AttentionPooling, HardPooling, Last, Mean
from regard.parts import Dims


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(Config):
    """The configuration of a recurrent text classifier: sizes, and pooling.

    Args:
        vocab: vocabulary size.
        classes: number of classes.
        unknown: the id of `<unk>`, which replaces dropped words.
        embed_dim: width of the embeddings.
        hidden_dim: width of the states, of each direction.
        layers: number of stacked recurrent layers.
        cell: the type of the recurrent layers.
        bidirectional: whether to read backward, too.
        pooling: of the states: the `last` one (in each direction, the one that has read
            everything), the `mean` of all, their sum weighted by `attention`, or the one that
            `hard` attention selects.
        dropout: of embeddings, between layers, and of the pooled vector.
        word_dropout: fraction of the tokens replaced by `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> LSTMConfig(vocab=8000, classes=2, pooling=HardPooling(estimator="gumbel")).spelled()
    'lstm(vocab=8000, classes=2, pooling=hard(estimator=gumbel))'
    """

    tag = "lstm"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    embed_dim: Count = 100
    hidden_dim: Count = 50
    layers: Count = 1
    cell: Literal["lstm", "gru"] = "lstm"
    bidirectional: bool = True
    pooling: Last | Mean | AttentionPooling | HardPooling = AttentionPooling()
    dropout: Share = 0.5
    word_dropout: Share = 0.2


@dataclass(frozen=True, kw_only=True)
class SelfAttending(Parts):
    """Every state attends to all states of its sentence.

    Args:
        num_heads: number of heads, which share the width of a state.
    """

    tag = "self"

    num_heads: Count = 1


@dataclass(frozen=True, kw_only=True)
class LSTMTaggerConfig(Config):
    """The configuration of a recurrent tagger: sizes, and attention between its states.

    Args:
        vocab: vocabulary size.
        classes: number of tags.
        unknown: the id of `<unk>`, which replaces dropped words.
        embed_dim: width of the embeddings.
        hidden_dim: width of the states, of each direction.
        layers: number of stacked recurrent layers.
        cell: the type of the recurrent layers.
        bidirectional: whether to read backward, too.
        attention: the input of the output layer besides the word's state: what this state attends
            to (`self`), or nothing (`none`).
        dropout: of embeddings, between layers, and of the input of the output layer.
        word_dropout: fraction of the words replaced by `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds or heads
    that cannot share the width of a state.

    >>> LSTMTaggerConfig(vocab=8000, classes=9, attention=SelfAttending(num_heads=4)).width
    200
    """

    tag = "lstm_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "unknown")

    vocab: LargeCount
    classes: Count
    unknown: Natural = 1
    embed_dim: Count = 100
    hidden_dim: Count = 100
    layers: Count = 1
    cell: Literal["lstm", "gru"] = "lstm"
    bidirectional: bool = True
    attention: SelfAttending | NoAttention = SelfAttending()
    dropout: Share = 0.5
    word_dropout: Share = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        heads = getattr(self.attention, "num_heads", 1)
        if self.width % heads:
            raise ValueError(
                f"num_heads {heads} does not divide the width of a state, {self.width}: "
                "hidden_dim, twice that where the text is read backwards too"
            )

    @property
    def width(self) -> int:
        """The width of a state, of both directions together."""
        return self.hidden_dim * (2 if self.bidirectional else 1)

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        heads = getattr(self.attention, "num_heads", 1)
        width = self.width // heads
        return Dims(width, width, width, heads)
