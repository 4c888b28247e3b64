"""The configuration of XLNet and of its heads."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, Positive, Share, Token
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims

SummaryActivation = Literal["tanh", "none", "gelu", "gelu_tanh", "quick_gelu", "relu", "silu"]
Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class XLNetConfig(Config):
    """Two-stream self-attention, as published by Yang et al.

    Args:
        vocab: vocabulary size.
        embed_dim: hidden size, an even number.
        layers: number of blocks.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        ff_dim: width of the feed-forward hidden layer.
        activation: of the hidden layer.
        attention: the parts of every attention, and the dropout on its weights.
        dropout: after and within each layer, on the embeddings and on the final states.
        norm_eps: epsilon of the layer norms.
        init_std: standard deviation of the initial weights.
        causal: whether every token sees only the preceding ones.
        same_length: whether it sees only as many of them as the memory holds.
        clamp_length: larger distances are clamped to it; None for no limit.
        memory_length: number of states in the memory; unlimited if None.
        reuse_length: how many states of a segment are remembered, its first ones; all if None.
        backward_half: whether the second half of the rows of a batch runs from right to left by
            default, as in the published training.
        alone: tokens that are always a segment of their own: `<cls>`.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.

    >>> XLNetConfig(vocab=32_000).ff_dim
    3072
    """

    tag = "xlnet"
    segments: ClassVar[int] = 3
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "alone")

    vocab: LargeCount
    embed_dim: Count = 768
    layers: Layers = 12
    num_heads: Count = 12
    ff_dim: Count = 3072
    activation: ActivationName = "gelu"
    attention: Parts = Parts(dropout=0.1)
    dropout: Share = 0.1
    norm_eps: Positive = 1e-12
    init_std: Positive = 0.02
    causal: bool = False
    same_length: bool = False
    clamp_length: LargeCount | None = None
    memory_length: LargeCount | None = 512
    reuse_length: LargeCount | None = None
    backward_half: bool = False
    alone: tuple[Token, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )
        if self.embed_dim % 2:
            raise ValueError(
                f"embed_dim must be even, got {self.embed_dim}: a distance has a sine and a cosine "
                "for each wavelength"
            )
        if self.same_length and not self.causal:
            raise ValueError("same_length limits what is before a token: it needs causal=True")

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class XLNetLMConfig(XLNetConfig):
    """XLNet with a language-modeling head (see `XLNetConfig`).

    Args:
        tied: whether the output layer shares the weights of the embedding.
    """

    tag = "xlnet_lm"

    tied: bool = True


@dataclass(frozen=True, kw_only=True)
class XLNetClassifierConfig(XLNetConfig):
    """XLNet for text classification (see `XLNetConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        summary: which token's state is the summary of a text, or the mean of all.
        summary_projection: whether a linear layer is applied to it.
        summary_activation: the activation after that.
        output_dropout: on the input of the output layer.
    """

    tag = "xlnet_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "alone")

    classes: Count
    labels: tuple[str, ...] = ()
    summary: Literal["last", "first", "mean"] = "last"
    summary_projection: bool = True
    summary_activation: SummaryActivation = "tanh"
    output_dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class XLNetTaggerConfig(XLNetConfig):
    """XLNet for token classification (see `XLNetConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
    """

    tag = "xlnet_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "alone")
    output_dropout: ClassVar[float] = 0.0

    classes: Count
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class XLNetSpansConfig(XLNetConfig):
    """XLNet for extractive question answering (see `XLNetConfig`)."""

    tag = "xlnet_spans"
    output_dropout: ClassVar[float] = 0.0


def base(vocab: int = 32_000, **changes: Any) -> XLNetConfig:
    """The paper's base model, 12 layers of 768.

    >>> base().num_heads
    12

    References:
        Yang, Dai, Yang, Carbonell, Salakhutdinov & Le. XLNet: Generalized Autoregressive
        Pretraining for Language Understanding. 2019. https://arxiv.org/abs/1906.08237
    """
    return XLNetConfig(vocab=vocab, **changes)


def large(vocab: int = 32_000, **changes: Any) -> XLNetConfig:
    """The paper's large model, 24 layers of 1024."""
    sizes = {"layers": 24, "embed_dim": 1024, "num_heads": 16, "ff_dim": 4096}
    return XLNetConfig(vocab=vocab, **{**sizes, **changes})
