"""The configuration of GPT-1, GPT-2 and GPT-3, and of their heads."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from regard.config import Between, Config, Count, LargeCount, Positive, Share, Token
from regard.layers import ActivationName, Heads
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class GptConfig(Config):
    """A decoder as Radford et al. (GPT-1, GPT-2) and Brown et al. (GPT-3) published it.

    Args:
        vocab: vocabulary size.
        max_length: maximum sequence length, the number of positions.
        embed_dim: hidden size.
        layers: number of blocks.
        num_heads: number of heads.
        head_dim: width of a head; `embed_dim / num_heads` if None.
        ff_dim: width of the feed-forward hidden layer; `4 embed_dim` if None.
        activation: of the hidden layer.
        norm: `pre`, before each layer and after the last one, or GPT-1's `post`, after each sum.
        attention: the parts of every attention, and the dropout on its weights.
        scale_by_layer: whether the scores of layer n, from 1, are divided by n.
        band: how many preceding tokens a token sees in every second layer, as in GPT-3; all if
            None.
        dropout: after each layer.
        embed_dropout: on the embeddings.
        norm_eps: epsilon of the layer norms.
        init_std: standard deviation of the initial weights; with pre-norm, `init_std / sqrt(2
            layers)` for the output layers of residual branches.
        pad: the padding token, if there is one. Nothing is computed from it.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.

    >>> GptConfig(vocab=50_257).hidden_dim
    3072
    """

    tag = "gpt"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "max_length")

    vocab: LargeCount
    max_length: LargeCount = 1024
    embed_dim: Count = 768
    layers: Layers = 12
    num_heads: Count = 12
    head_dim: Count | None = None
    ff_dim: Count | None = None
    activation: ActivationName = "gelu_tanh"
    norm: Literal["pre", "post"] = "pre"
    attention: Parts = Parts(dropout=0.1)
    scale_by_layer: bool = False
    band: LargeCount | None = None
    dropout: Share = 0.1
    embed_dropout: Share = 0.1
    norm_eps: Positive = 1e-5
    init_std: Positive = 0.02
    pad: Token | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_dim is None and self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}; give "
                "head_dim"
            )

    @property
    def heads(self) -> Heads:
        """The number of heads, and their width."""
        return Heads(self.num_heads, head_dim=self.head_dim)

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.head_dim or self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)

    @property
    def hidden_dim(self) -> int:
        """The width of the hidden layer."""
        return self.ff_dim or 4 * self.embed_dim


@dataclass(frozen=True, kw_only=True)
class GptLMConfig(GptConfig):
    """GPT with a language-modeling head (see `GptConfig`).

    Args:
        tied: whether the output layer shares the weights of the embedding.
        begin: the token that begins a text, if there is one.
        ends: the tokens that end a generated text.
    """

    tag = "gpt_lm"

    tied: bool = True
    begin: Token | None = None
    ends: tuple[Token, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GptClassifierConfig(GptConfig):
    """GPT for text classification, from the last token (see `GptConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "gpt_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class GptTaggerConfig(GptConfig):
    """GPT for token classification (see `GptConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "gpt_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class GptSpansConfig(GptConfig):
    """GPT for extractive question answering (see `GptConfig`)."""

    tag = "gpt_spans"


def gpt1(vocab: int = 40_478, **changes: Any) -> GptLMConfig:
    """GPT-1: 12 layers of 768, post-norm.

    References:
        Radford, Narasimhan, Salimans & Sutskever. Improving Language Understanding by Generative
        Pre-Training. 2018.
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf
    """
    return GptLMConfig(vocab=vocab, **{"max_length": 512, "norm": "post", **changes})


def gpt2_small(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-2 with 124 million weights, 12 layers of 768.

    >>> gpt2_small().num_heads, gpt2_small(layers=2).layers
    (12, 2)

    References:
        Radford, Wu, Child, Luan, Amodei & Sutskever. Language Models are Unsupervised Multitask
        Learners. 2019.
        https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    """
    return _sized(vocab, 12, 768, 12, changes)


def gpt2_medium(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-2 with 355 million weights, 24 layers of 1024."""
    return _sized(vocab, 24, 1024, 16, changes)


def gpt2_large(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-2 with 774 million weights, 36 layers of 1280."""
    return _sized(vocab, 36, 1280, 20, changes)


def gpt2_xl(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-2 with 1.5 billion weights, 48 layers of 1600."""
    return _sized(vocab, 48, 1600, 25, changes)


def gpt3_small(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 125 million weights; the paper does not give the width of the bands.

    References:
        Brown et al. Language Models are Few-Shot Learners. 2020. https://arxiv.org/abs/2005.14165
        Child, Gray, Radford & Sutskever. Generating Long Sequences with Sparse Transformers. 2019.
        https://arxiv.org/abs/1904.10509
    """
    return _banded(vocab, 12, 768, 12, changes)


def gpt3_medium(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 350 million weights."""
    return _banded(vocab, 24, 1024, 16, changes)


def gpt3_large(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 760 million weights."""
    return _banded(vocab, 24, 1536, 16, changes)


def gpt3_xl(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with "1.3 billion" weights; the 24 heads of 128 in the paper's table make it 1.5."""
    return _banded(vocab, 24, 2048, 24, {"head_dim": 128, **changes})


def gpt3_3b(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 2.7 billion weights."""
    return _banded(vocab, 32, 2560, 32, changes)


def gpt3_7b(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 6.7 billion weights."""
    return _banded(vocab, 32, 4096, 32, changes)


def gpt3_13b(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 with 13 billion weights; 40 heads of 128 do not make up its width of 5140."""
    return _banded(vocab, 40, 5140, 40, {"head_dim": 128, **changes})


def gpt3_175b(vocab: int = 50_257, **changes: Any) -> GptLMConfig:
    """GPT-3 itself: 96 layers of 12,288."""
    return _banded(vocab, 96, 12_288, 96, changes)


def _sized(vocab: int, layers: int, width: int, heads: int, changes: dict[str, Any]) -> GptLMConfig:
    sizes = {"layers": layers, "embed_dim": width, "num_heads": heads}
    return GptLMConfig(vocab=vocab, **{**sizes, **changes})


def _banded(
    vocab: int, layers: int, width: int, heads: int, changes: dict[str, Any]
) -> GptLMConfig:
    """The Sparse Transformer's model of text had strides of 128."""
    banded = {"max_length": 2048, "band": 128}
    return _sized(vocab, layers, width, heads, {**banded, **changes})
