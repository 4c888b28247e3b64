"""The configuration of Transformers, in their four forms."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, NonNegative, Share
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class SinusoidalPositions(Config):
    """Sines and cosines are added; embeddings are scaled by sqrt(embed_dim)."""

    tag = "sinusoidal"


@dataclass(frozen=True, kw_only=True)
class LearnedPositions(Config):
    """A learned vector is added for each position, up to the longest sequence in the data."""

    tag = "learned"


@dataclass(frozen=True, kw_only=True)
class RotaryPositions(Config):
    """Queries and keys are rotated by their positions (`regard.positions.RoPE`)."""

    tag = "rope"


@dataclass(frozen=True, kw_only=True)
class NoPositions(Config):
    """No positions, except those in the parts of the attention."""

    tag = "none"


@dataclass(frozen=True, kw_only=True)
class Unshared(Config):
    """Every block has its own weights."""

    tag = "none"


UNSHARED = Unshared()
"""One for all: made inside a compiled call, its checks would be traced."""


@dataclass(frozen=True, kw_only=True)
class Shared(Config):
    """One block is used for all layers (ALBERT)."""

    tag = "all"


@dataclass(frozen=True, kw_only=True)
class Universal(Config):
    """One block, with position and step added before each use (Universal Transformer)."""


@dataclass(frozen=True, kw_only=True)
class Adaptive(Config):
    """A Universal Transformer with adaptive computation time: positions halt on their own.

    `layers` is the maximum number of steps.

    Args:
        ponder_cost: weight in the loss of the mean over a sequence's tokens of Graves' `N + R`.
    """

    ponder_cost: NonNegative = 0.01


Positions = SinusoidalPositions | LearnedPositions | RotaryPositions | NoPositions


@dataclass(frozen=True, kw_only=True)
class Blocks(Config):
    """The options common to all forms: the shape of a block.

    Args:
        embed_dim: hidden size.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        kv_heads: number of key/value heads; `num_heads` if None.
        ff_dim: width of the feed-forward hidden layer.
        attention: the parts of every attention; score_mod and mask are not used in
            cross-attention, because they refer to positions in one sequence.
        norm: `post` as published, after each residual sum, or `pre`, before each layer.
        activation: of the hidden layer; `swiglu` has a gate, and 1.5 times the weights.
        positions: `sinusoidal`, `learned`, `rope` or `none`.
        max_length: the longest sequence, for learned positions.
        dropout: after each layer and on the embeddings, as in the paper.
        ff_dropout: on the hidden layer too.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds or values
    that do not fit together.
    """

    from_data: ClassVar[tuple[str, ...]] = ("max_length",)

    max_length: LargeCount = 512
    embed_dim: Count = 128
    num_heads: Count = 4
    kv_heads: Count | None = None
    ff_dim: Count = 256
    attention: Parts = Parts()
    norm: Literal["post", "pre"] = "post"
    activation: Literal["relu", "gelu", "swiglu"] = "relu"
    positions: Positions = SinusoidalPositions()
    dropout: Share = 0.1
    ff_dropout: Share = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )
        if self.kv_heads is not None and self.num_heads % self.kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not divisible by kv_heads {self.kv_heads}"
            )
        if isinstance(self.positions, RotaryPositions) and self.embed_dim // self.num_heads % 2:
            raise ValueError(
                "rope turns pairs of numbers, but a head is embed_dim / num_heads = "
                f"{self.embed_dim // self.num_heads} wide, which is odd"
            )
        sinusoidal = isinstance(self.positions, SinusoidalPositions)
        if self.tells_the_step and not sinusoidal:
            raise ValueError(
                f"sharing {self.shares.tag!r} adds sinusoids before each step: it needs positions "
                f"'sinusoidal', got {self.positions.tag!r}"
            )

    @property
    def shares(self) -> Any:
        """Which weights the blocks share, by each form's field `sharing`."""
        return getattr(self, "sharing", UNSHARED)

    @property
    def tells_the_step(self) -> bool:
        """Whether position and step are added before each block instead of to the embeddings."""
        return isinstance(self.shares, (Universal, Adaptive))

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Blocks):
    """An encoder and a decoder (see `Blocks` for their shape).

    Args:
        source_vocab: source vocabulary size.
        target_vocab: target vocabulary size.
        joint_vocab: whether both sides share a vocabulary.
        layers: of the encoder, and of the decoder if `decoder_layers` is None.
        decoder_layers: of the decoder.
        sharing: `none`, `all`, `universal`, or `adaptive` in the encoder and universal in the
            decoder, because halting keeps no caches.
        tied: `output` shares the target embedding with the output layer, `all` also with the
            source embedding if both sides have one vocabulary, as in the paper.

    >>> TransformerConfig(source_vocab=8000, target_vocab=8000, layers=6).norm
    'post'
    """

    tag = "transformer"
    from_data: ClassVar[tuple[str, ...]] = (
        *("source_vocab", "target_vocab", "joint_vocab", "max_length"),
    )

    source_vocab: LargeCount
    target_vocab: LargeCount
    joint_vocab: bool = True
    layers: Layers = 4
    decoder_layers: Layers | None = None
    sharing: Unshared | Shared | Universal | Adaptive = Unshared()
    tied: Literal["none", "output", "all"] = "all"

    @property
    def ties_source(self) -> bool:
        """Whether the source embedding is the target's."""
        one = self.joint_vocab and self.source_vocab == self.target_vocab
        return self.tied == "all" and one


@dataclass(frozen=True, kw_only=True)
class TransformerClassifierConfig(Blocks):
    """A text classifier with an encoder (see `Blocks`).

    Args:
        vocab: vocabulary size.
        classes: number of classes.
        layers: number of blocks.
        sharing: `none`, `all`, `universal` or `adaptive`.
        pooling: the `first` token, or the `mean` of all.

    >>> TransformerClassifierConfig(vocab=8000, classes=4).pooling
    'mean'
    """

    tag = "transformer_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "max_length")

    vocab: LargeCount
    classes: Count
    layers: Layers = 2
    sharing: Unshared | Shared | Universal | Adaptive = Unshared()
    pooling: Literal["first", "mean"] = "mean"


@dataclass(frozen=True, kw_only=True)
class TransformerTaggerConfig(Blocks):
    """A tagger with an encoder (see `Blocks`).

    Args:
        vocab: vocabulary size.
        classes: number of tags.
        layers: number of blocks.
        sharing: `none`, `all`, `universal` or `adaptive`.

    >>> TransformerTaggerConfig(vocab=8000, classes=9, layers=1).norm
    'post'
    """

    tag = "transformer_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "max_length")

    vocab: LargeCount
    classes: Count
    layers: Layers = 2
    sharing: Unshared | Shared | Universal | Adaptive = Unshared()


@dataclass(frozen=True, kw_only=True)
class TransformerLMConfig(Blocks):
    """A decoder-only language model (see `Blocks`).

    Args:
        vocab: vocabulary size.
        layers: number of blocks.
        sharing: `none`, `all` or `universal`.
        tied: `output` shares the embedding with the output layer.

    >>> TransformerLMConfig(vocab=65, positions=LearnedPositions(), max_length=64).max_length
    64
    """

    tag = "transformer_lm"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "max_length")

    vocab: LargeCount
    layers: Layers = 4
    sharing: Unshared | Shared | Universal = Unshared()
    tied: Literal["none", "output"] = "output"


def base(source_vocab: int, target_vocab: int | None = None, **changes: Any) -> TransformerConfig:
    """The paper's base model, with one vocabulary for both sides unless two are given.

    >>> base(37_000).embed_dim
    512

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """
    published: dict[str, Any] = {
        "source_vocab": source_vocab,
        "target_vocab": source_vocab if target_vocab is None else target_vocab,
        "embed_dim": 512,
        "num_heads": 8,
        "ff_dim": 2048,
        "layers": 6,
        "dropout": 0.1,
        "tied": "all" if target_vocab in (None, source_vocab) else "output",
    }
    return TransformerConfig(**published | changes)


def big(source_vocab: int, target_vocab: int | None = None, **changes: Any) -> TransformerConfig:
    """The paper's big model; for English to French its dropout is 0.1.

    >>> big(37_000).ff_dim
    4096

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """
    published: dict[str, Any] = {
        "embed_dim": 1024,
        "num_heads": 16,
        "ff_dim": 4096,
        "dropout": 0.3,
    }
    return base(source_vocab, target_vocab, **published | changes)
