"""The configuration of LLaMA and of models with the same architecture."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from regard import positions
from regard.config import Between, Config, Count, LargeCount, Positive, Share, Token
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class Llama3(Config):
    """Rotary frequencies scaled by wavelength, as in Llama 3.1 (see `regard.positions.Llama3`).

    Args:
        factor: how many times longer than `trained` tokens texts may be.
        trained: context length, in tokens, before scaling.
        low, high: rotations within it, up to which a pair is scaled, and from which it is not.
    """

    factor: Positive = 8.0
    trained: LargeCount = 8192
    low: Positive = 1.0
    high: Positive = 4.0

    @property
    def scaling(self) -> positions.Llama3:
        """What stretches turns."""
        return positions.Llama3(self.factor, self.trained, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class YaRN(Config):
    """Turns stretched by their order, and longer vectors (see `regard.positions.YaRN`).

    Args:
        factor: how many times longer than `trained` tokens texts may be.
        trained: context length, in tokens, before scaling.
        fast, slow: rotations within it, from which a pair is not scaled, and up to which it is.
        whole: whether the ends of the ramp are rounded to whole pairs.
        amplitude: factor on the length of rotated vectors; `0.1 ln factor + 1` if None.
    """

    tag = "yarn"

    factor: Positive
    trained: LargeCount
    fast: Positive = 32.0
    slow: Positive = 1.0
    whole: bool = True
    amplitude: Positive | None = None

    @property
    def scaling(self) -> positions.YaRN:
        """What stretches turns."""
        given = self.factor, self.trained, self.fast, self.slow, self.whole, self.amplitude
        return positions.YaRN(*given)


@dataclass(frozen=True, kw_only=True)
class LlamaConfig(Config):
    """A decoder as Touvron et al. published it, with what later ones changed.

    Args:
        vocab: vocabulary size.
        max_length: maximum sequence length. No weight depends on it.
        embed_dim: hidden size.
        layers: number of blocks.
        num_heads: number of heads.
        kv_heads: number of key/value heads, each shared by equally many query heads; `num_heads`
            if None.
        head_dim: width of a head; `embed_dim / num_heads` if None.
        ff_dim: width of the feed-forward hidden layer.
        activation: of the gate; `silu` makes it SwiGLU.
        rope_base: the base of the rotary frequencies.
        rope_scaling: scaling of the frequencies for longer texts, `llama3` or `yarn`; none if None.
        attention: the parts of every attention, and the dropout on its weights.
        attention_bias: whether the attention's projections have biases.
        ff_bias: whether the feed-forward layers have biases.
        norm_eps: epsilon of the RMS norms.
        init_std: standard deviation of the initial weights.
        pad: the padding token, if there is one. Nothing is computed from it.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.

    >>> LlamaConfig(vocab=32_000).width
    128
    """

    tag = "llama"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "max_length")

    vocab: LargeCount
    max_length: LargeCount = 2048
    embed_dim: Count = 4096
    layers: Layers = 32
    num_heads: Count = 32
    kv_heads: Count | None = None
    head_dim: Count | None = None
    ff_dim: Count = 11_008
    activation: ActivationName = "silu"
    rope_base: Positive = 10_000.0
    rope_scaling: Llama3 | YaRN | None = None
    attention: Parts = Parts()
    attention_bias: bool = False
    ff_bias: bool = False
    norm_eps: Positive = 1e-6
    init_std: Positive = 0.02
    pad: Token | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_dim is None and self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}; say "
                "head_dim"
            )
        if self.kv_heads is not None and self.num_heads % self.kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not divisible by kv_heads {self.kv_heads}"
            )
        if self.width % 2:
            raise ValueError(f"pairs of numbers are turned, but a head is {self.width} wide")
        if self.rope_scaling is not None:
            _ = self.rope_scaling.scaling

    @property
    def width(self) -> int:
        """The width of a head."""
        return self.embed_dim // self.num_heads if self.head_dim is None else self.head_dim

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        return Dims(self.width, self.width, self.width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class LlamaLMConfig(LlamaConfig):
    """LLaMA with a language-modeling head (see `LlamaConfig`).

    Args:
        tied: whether the output layer shares the weights of the embedding.
        begin: the token that begins a text, if there is one.
        ends: the tokens that end a generated text.
    """

    tag = "llama_lm"

    tied: bool = False
    begin: Token | None = None
    ends: tuple[Token, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LlamaClassifierConfig(LlamaConfig):
    """LLaMA for text classification, from the last token (see `LlamaConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "llama_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class LlamaTaggerConfig(LlamaConfig):
    """LLaMA for token classification, with causal attention (see `LlamaConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "llama_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class LlamaSpansConfig(LlamaConfig):
    """LLaMA for extractive question answering (see `LlamaConfig`)."""

    tag = "llama_spans"


def llama_7b(vocab: int = 32_000, **changes: Any) -> LlamaLMConfig:
    """The paper's smallest model, 32 layers of 4096.

    >>> llama_7b().layers
    32

    References:
        Touvron et al. LLaMA: Open and Efficient Foundation Language Models. 2023.
        https://arxiv.org/abs/2302.13971
    """
    return LlamaLMConfig(vocab=vocab, **changes)


def llama_13b(vocab: int = 32_000, **changes: Any) -> LlamaLMConfig:
    """The paper's 40 layers of 5120."""
    return _sized(vocab, (5120, 40, 40, 13_824), changes)


def llama_33b(vocab: int = 32_000, **changes: Any) -> LlamaLMConfig:
    """The paper's 60 layers of 6656."""
    return _sized(vocab, (6656, 60, 52, 17_920), changes)


def llama_65b(vocab: int = 32_000, **changes: Any) -> LlamaLMConfig:
    """The paper's 80 layers of 8192."""
    return _sized(vocab, (8192, 80, 64, 22_016), changes)


def smollm2_135m(vocab: int = 49_152, **changes: Any) -> LlamaLMConfig:
    """SmolLM2's 30 layers of 576, with nine query heads and three key/value heads.

    >>> smollm2_135m().kv_heads
    3

    References:
        Allal et al. SmolLM2: When Smol Goes Big. 2025. https://arxiv.org/abs/2502.02737
    """
    return _sized(vocab, (576, 30, 9, 1536), {"kv_heads": 3, **_SMOL, **changes})


def smollm2_360m(vocab: int = 49_152, **changes: Any) -> LlamaLMConfig:
    """SmolLM2's 32 layers of 960."""
    return _sized(vocab, (960, 32, 15, 2560), {"kv_heads": 5, **_SMOL, **changes})


def smollm2_1_7b(vocab: int = 49_152, **changes: Any) -> LlamaLMConfig:
    """SmolLM2's 24 layers of 2048, without grouped heads."""
    return _sized(vocab, (2048, 24, 32, 8192), {**_SMOL, "rope_base": 130_000.0, **changes})


_SMOL = {"max_length": 8192, "rope_base": 100_000.0, "norm_eps": 1e-5, "tied": True}


def _sized(vocab: int, sizes: tuple[int, int, int, int], changes: dict[str, Any]) -> LlamaLMConfig:
    embed_dim, layers, num_heads, ff_dim = sizes
    published: dict[str, Any] = {
        "embed_dim": embed_dim,
        "layers": layers,
        "num_heads": num_heads,
        "ff_dim": ff_dim,
    }
    return LlamaLMConfig(vocab=vocab, **published | changes)
