"""The configuration of an attentive reader."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.config import Config, Count, LargeCount, Natural, Share
from regard.models.attention import CrossParts, NoAttention
from regard.models.pooling import AttentionPooling, Mean
from regard.parts import Dims, ScoreName


@dataclass(frozen=True, kw_only=True)
class Alignment(CrossParts):
    """Each word of the passage attends to the words of the question.

    Args:
        attention_dim: width of the hidden layer `relu(A e)` whose vectors are compared.
    """

    tag = "align"

    score: ScoreName = "dot"
    attention_dim: Count = 50


@dataclass(frozen=True, kw_only=True)
class AttentiveReaderConfig(Config):
    """The configuration of an attentive reader: sizes, and how passage and question interact.

    The paper has embeddings of width 300 and three layers of 128 in each direction.

    Args:
        vocab: vocabulary size, shared by passage and question.
        unknown: the id of `<unk>`, which replaces dropped words.
        embed_dim: width of the embeddings.
        hidden_dim: width of the states, of each direction.
        layers: number of stacked recurrent layers.
        cell: the type of the recurrent layers.
        bidirectional: whether to read backward, too.
        alignment: the input to each word of the passage from the question: what it attends to
            there (`align`), or nothing (`none`).
        matching: whether each word of the passage has a feature for occurring in the question.
        pooling: how the question's states are pooled: their sum weighted by `attention`, or their
            `mean`.
        dropout: of embeddings, between layers, and of the states that are compared.
        word_dropout: fraction of the words replaced by `<unk>` while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> AttentiveReaderConfig(vocab=30_000, alignment=NoAttention()).spelled()
    'attentive_reader(vocab=30000, alignment=none)'
    """

    tag = "attentive_reader"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "unknown")

    vocab: LargeCount
    unknown: Natural = 1
    embed_dim: Count = 64
    hidden_dim: Count = 64
    layers: Count = 1
    cell: Literal["lstm", "gru"] = "lstm"
    bidirectional: bool = True
    alignment: Alignment | NoAttention = Alignment()
    matching: bool = True
    pooling: AttentionPooling | Mean = AttentionPooling()
    dropout: Share = 0.3
    word_dropout: Share = 0.0

    @property
    def width(self) -> int:
        """The width of a state, of both directions together."""
        return self.hidden_dim * (2 if self.bidirectional else 1)

    @property
    def read_dim(self) -> int:
        """The width of the input for a word of the passage."""
        aligned = isinstance(self.alignment, Alignment)
        return self.embed_dim * (2 if aligned else 1) + self.matching

    @property
    def dims(self) -> Dims:
        """The widths of the vectors that the alignment compares."""
        width = getattr(self.alignment, "attention_dim", 1)
        return Dims(width, width, width)
