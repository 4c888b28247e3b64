"""The sizes of Transformers, in their four forms."""

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
    """A vector for each position, as many as the data's longest sequence, is added."""

    tag = "learned"


@dataclass(frozen=True, kw_only=True)
class RotaryPositions(Config):
    """Queries and keys are turned by their positions (`regard.positions.RoPE`)."""

    tag = "rope"


@dataclass(frozen=True, kw_only=True)
class NoPositions(Config):
    """Nothing is said of positions but by the parts of the attention."""

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
    """One block, told position and step before each use (Universal Transformer)."""


@dataclass(frozen=True, kw_only=True)
class Adaptive(Config):
    """A Universal Transformer with adaptive computation time: positions halt on their own.

    `layers` is the greatest number of steps.

    Args:
        ponder_cost: what a step adds to the loss of a sequence, the mean over its tokens of
            Graves' `N + R`.
    """

    ponder_cost: NonNegative = 0.01


Positions = SinusoidalPositions | LearnedPositions | RotaryPositions | NoPositions


@dataclass(frozen=True, kw_only=True)
class Blocks(Config):
    """What the forms have in common: the shape of a block.

    Args:
        embed_dim: width of a token.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        kv_heads: number of key/value heads; `num_heads` if None.
        ff_dim: width of the hidden layer for each token.
        attention: the parts of every attention; score_mod and mask are left out where two
            sequences meet, because they speak of positions in one.
        norm: `post` as published, after each residual sum, or `pre`, before each layer.
        activation: of the hidden layer; `swiglu` has a gate and half as many weights again.
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
        """Which weights the blocks share, as each form's field `sharing` says."""
        return getattr(self, "sharing", UNSHARED)

    @property
    def tells_the_step(self) -> bool:
        """Are position and step added before each block, and not to the embeddings?"""
        return isinstance(self.shares, (Universal, Adaptive))

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Blocks):
    """An encoder and a decoder (see `Blocks` for what they are built of).

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        joint_vocab: a number stands for the same token on both sides.
        layers: of the encoder, and of the decoder if `decoder_layers` is None.
        decoder_layers: of the decoder.
        sharing: `none`, `all`, `universal`, or `adaptive` in the encoder and universal in the
            decoder, because halting keeps no caches.
        tied: `output` uses the target embedding as the output layer, `all` the source embedding
            too where both sides have one vocabulary, as in the paper.

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
        """Is the source embedding the target's?"""
        one = self.joint_vocab and self.source_vocab == self.target_vocab
        return self.tied == "all" and one


@dataclass(frozen=True, kw_only=True)
class TransformerClassifierConfig(Blocks):
    """An encoder that answers with one of several classes (see `Blocks`).

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        layers: number of blocks.
        sharing: `none`, `all`, `universal` or `adaptive`.
        pooling: which token the answer is read from: the `first`, or the `mean` of all.

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
    """An encoder that answers with a tag for each word (see `Blocks`).

    Args:
        vocab: number of different words.
        classes: number of different tags.
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
    """A decoder without an encoder, which continues a text (see `Blocks`).

    Args:
        vocab: number of different tokens.
        layers: number of blocks.
        sharing: `none`, `all` or `universal`.
        tied: `output` uses the embedding as the output layer.

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
