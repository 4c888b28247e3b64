"""The configuration of T5, version 1.0 and 1.1, and of its encoder alone."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from regard.config import Between, Config, Count, LargeCount, Positive, Share, Token
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims, ScoreName

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class Plain(Config):
    """A hidden layer, `W_2 f(W_1 x)`, as in version 1.0.

    Args:
        activation: what f is.
    """

    activation: ActivationName = "relu"


@dataclass(frozen=True, kw_only=True)
class Gated(Config):
    """A gated hidden layer, `W_2 (f(W_g x) * W_1 x)`, as in version 1.1.

    Args:
        activation: what f is.
    """

    activation: ActivationName = "gelu_tanh"


@dataclass(frozen=True, kw_only=True)
class UnscaledParts(Parts):
    """The parts of T5's attention, whose scores are unscaled dot products (see `Parts`)."""

    score: ScoreName = "dot"
    dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class T5EncoderConfig(Config):
    """T5's encoder.

    Args:
        vocab: vocabulary size.
        embed_dim: hidden size.
        layers: number of blocks.
        num_heads: number of heads.
        head_dim: width of a head, independent of `embed_dim`.
        ff_dim: width of the feed-forward hidden layer.
        feed_forward: `plain` (1.0) or `gated` (1.1).
        buckets: number of relative position buckets; in the encoder each direction has half.
        max_distance: distances from here on share a bucket.
        attention: the parts of every attention, and the dropout on its weights. A `score_mod` acts
            after the relative position bias is added.
        dropout: after each layer, within the hidden one, on the embeddings and the output.
        norm_eps: epsilon of the RMS norms.
        init_factor: factor on the initial weights.
        pad: the padding token, if there is one. Nothing is computed from it.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.

    >>> T5EncoderConfig(vocab=32_128, embed_dim=768, num_heads=12).head_dim
    64
    """

    tag = "t5_encoder"
    from_data: ClassVar[tuple[str, ...]] = ("vocab",)

    vocab: LargeCount
    embed_dim: Count = 512
    layers: Layers = 6
    num_heads: Count = 8
    head_dim: Count = 64
    ff_dim: Count = 2048
    feed_forward: Plain | Gated = Plain()
    buckets: Count = 32
    max_distance: Count = 128
    attention: UnscaledParts = UnscaledParts()
    dropout: Share = 0.1
    norm_eps: Positive = 1e-6
    init_factor: Positive = 1.0
    pad: Token | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buckets < 4 or self.buckets % 2:
            raise ValueError(
                f"buckets must be at least 4 and even, a half for each direction, got "
                f"{self.buckets}; T5 has 32"
            )
        exact = self.buckets // 2 if self.tag == "t5" else self.buckets // 4
        if self.max_distance <= exact:
            raise ValueError(
                f"max_distance must be above {exact}, the distances with a bucket of their own, "
                f"got {self.max_distance}; T5 has 128"
            )

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        return Dims(self.head_dim, self.head_dim, self.head_dim, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class T5Config(T5EncoderConfig):
    """T5's encoder-decoder (see `T5EncoderConfig`).

    Args:
        decoder_layers: number of the decoder's blocks; `layers` if None.
        tied: the output layer has the weights of the embedding (1.0).
        scaled: whether the output layer's input is multiplied by `embed_dim ** -0.5` (1.0).
        begin: the decoder's start token; as published, the padding token.
        ends: the tokens that end the output.
        first: a forced first output token, if there is one.
    """

    tag = "t5"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "begin", "ends")

    decoder_layers: Layers | None = None
    tied: bool = True
    scaled: bool = True
    begin: Token | None = None
    ends: tuple[Token, ...] = ()
    first: Token | None = None


def small(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.0, 6 and 6 layers of 512: 60 million weights.

    >>> small().ff_dim
    2048

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """
    return T5Config(vocab=vocab, **changes)


def base(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.0, 12 and 12 layers of 768: 220 million weights."""
    return _first(vocab, (768, 12, 12, 64, 3072), changes)


def large(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.0, 24 and 24 layers of 1024: 770 million weights."""
    return _first(vocab, (1024, 24, 16, 64, 4096), changes)


def t5_3b(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.0, `large` with 32 heads of 128 and hidden layers of 16,384."""
    return _first(vocab, (1024, 24, 32, 128, 16_384), changes)


def t5_11b(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.0, `large` with 128 heads of 128 and hidden layers of 65,536."""
    return _first(vocab, (1024, 24, 128, 128, 65_536), changes)


def v1_1_small(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.1, 8 and 8 layers of 512, with 6 heads.

    >>> v1_1_small().feed_forward, v1_1_small().tied
    (Gated(activation='gelu_tanh'), False)

    References:
        Shazeer. GLU Variants Improve Transformer. 2020. https://arxiv.org/abs/2002.05202
    """
    return _second(vocab, (512, 8, 6, 64, 1024), changes)


def v1_1_base(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.1, 12 and 12 layers of 768."""
    return _second(vocab, (768, 12, 12, 64, 2048), changes)


def v1_1_large(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.1, 24 and 24 layers of 1024."""
    return _second(vocab, (1024, 24, 16, 64, 2816), changes)


def v1_1_xl(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.1, 24 and 24 layers of 2048."""
    return _second(vocab, (2048, 24, 32, 64, 5120), changes)


def v1_1_xxl(vocab: int = 32_128, **changes: Any) -> T5Config:
    """Version 1.1, 24 and 24 layers of 4096."""
    return _second(vocab, (4096, 24, 64, 64, 10_240), changes)


SIZES = ("embed_dim", "layers", "num_heads", "head_dim", "ff_dim")


def _first(vocab: int, sizes: tuple[int, ...], changes: dict[str, Any]) -> T5Config:
    """Version 1.0."""
    return T5Config(vocab=vocab, **{**dict(zip(SIZES, sizes, strict=True)), **changes})


def _second(vocab: int, sizes: tuple[int, ...], changes: dict[str, Any]) -> T5Config:
    """Version 1.1: a gate in the hidden layers, and an output of its own, of what is not scaled."""
    differs = {"feed_forward": Gated(), "tied": False, "scaled": False}
    return _first(vocab, sizes, {**differs, **changes})
