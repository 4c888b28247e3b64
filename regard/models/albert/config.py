"""The configuration of ALBERT and of its heads."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from regard.config import Between, Config, Count, LargeCount, Positive, Share
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class AlbertSizes(Config):
    """An encoder as Lan et al. published it.

    Args:
        vocab: vocabulary size.
        max_length: maximum sequence length, the number of positions.
        segments: number of segment types.
        token_dim: width of the token, position and segment embeddings.
        embed_dim: hidden size of the blocks.
        layers: number of layers.
        groups: number of distinct sets of weights, each shared by equally many adjacent layers.
        blocks: number of blocks in a layer.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        ff_dim: width of the feed-forward hidden layer.
        activation: of the hidden layer.
        attention: the parts of every attention, and the dropout on its weights.
        dropout: after each layer and on the embeddings.
        norm_eps: epsilon of the layer norms.
        init_std: standard deviation of the initial weights.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.
    """

    from_data: ClassVar[tuple[str, ...]] = ("vocab", "max_length")

    vocab: LargeCount
    max_length: LargeCount = 512
    segments: Count = 2
    token_dim: Count = 128
    embed_dim: Count = 768
    layers: Layers = 12
    groups: Layers = 1
    blocks: Layers = 1
    num_heads: Count = 12
    ff_dim: Count = 3072
    activation: ActivationName = "gelu_tanh"
    attention: Parts = Parts()
    dropout: Share = 0.0
    norm_eps: Positive = 1e-12
    init_std: Positive = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )
        if self.groups > self.layers:
            raise ValueError(
                f"groups {self.groups} is more than layers {self.layers}; some would not be used"
            )

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)

    def group(self, layer: int) -> int:
        """The group whose weights a layer uses.

        If the layers are not a multiple of the groups, rounding follows the published code: 36
        layers in 14 groups have the 18th in group 6, though 18 * 14 / 36 = 7.

        >>> [AlbertConfig(vocab=9, layers=5, groups=2).group(layer) for layer in range(5)]
        [0, 0, 0, 1, 1]
        """
        return int(layer / (self.layers / self.groups))


@dataclass(frozen=True, kw_only=True)
class AlbertConfig(AlbertSizes):
    """ALBERT's encoder alone (see `AlbertSizes`).

    Args:
        pooler: whether a pooler layer is applied to the first token's state. Published folders may
            lack it: then the state itself is the summary.

    >>> AlbertConfig(vocab=30_000).token_dim
    128
    """

    tag = "albert"

    pooler: bool = True


@dataclass(frozen=True, kw_only=True)
class AlbertClassifierConfig(AlbertSizes):
    """ALBERT for text classification (see `AlbertSizes`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "albert_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class AlbertTaggerConfig(AlbertSizes):
    """ALBERT for token classification (see `AlbertSizes`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer.
    """

    tag = "albert_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share = 0.1


@dataclass(frozen=True, kw_only=True)
class AlbertSpansConfig(AlbertSizes):
    """ALBERT for extractive question answering (see `AlbertSizes`)."""

    tag = "albert_spans"


@dataclass(frozen=True, kw_only=True)
class AlbertMaskedLMConfig(AlbertSizes):
    """ALBERT for masked language modeling (see `AlbertSizes`).

    Args:
        tied: whether the output layer shares the weights of the embedding.
    """

    tag = "albert_masked_lm"

    tied: bool = True


@dataclass(frozen=True, kw_only=True)
class AlbertPretrainingConfig(AlbertMaskedLMConfig):
    """ALBERT with sentence-order prediction, too (see `AlbertMaskedLMConfig`).

    Args:
        output_dropout: on the input of the sentence-order head.
    """

    tag = "albert_pretraining"

    output_dropout: Share = 0.1


def base(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The base model, 12 layers of 768, in its second version: without dropout.

    >>> base().dropout, base_v1().dropout
    (0.0, 0.1)

    References:
        Lan, Chen, Goodman, Gimpel, Sharma & Soricut. ALBERT: A Lite BERT for Self-supervised
        Learning of Language Representations. 2020. https://arxiv.org/abs/1909.11942
    """
    return _sized(vocab, 12, 768, 12, **changes)


def large(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The large model, 24 layers of 1024, in its second version: without dropout."""
    return _sized(vocab, 24, 1024, 16, **changes)


def xlarge(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The extra large model, 24 layers of 2048, in its second version: without dropout."""
    return _sized(vocab, 24, 2048, 16, **changes)


def xxlarge(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The largest model, 12 layers of 4096, which never had dropout."""
    return _sized(vocab, 12, 4096, 64, **changes)


def base_v1(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The base model in its first version.

    The authors' code uses the approximate GELU in both versions. A folder that says `gelu` is
    computed with the exact function nonetheless, as `transformers` does.
    """
    return _with_dropout(base(vocab), changes)


def large_v1(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The large model in its first version."""
    return _with_dropout(large(vocab), changes)


def xlarge_v1(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The extra large model in its first version."""
    return _with_dropout(xlarge(vocab), changes)


def xxlarge_v1(vocab: int = 30_000, **changes: Any) -> AlbertConfig:
    """The largest model in its first version, which has the sizes of the second."""
    return xxlarge(vocab, **changes)


def _sized(vocab: int, layers: int, width: int, heads: int, **changes: Any) -> AlbertConfig:
    """All published sizes have tables of 128 and hidden layers of four times the width."""
    sizes = {"layers": layers, "embed_dim": width, "num_heads": heads, "ff_dim": 4 * width}
    return AlbertConfig(vocab=vocab, **{**sizes, **changes})


def _with_dropout(config: AlbertConfig, changes: dict[str, Any]) -> AlbertConfig:
    return replace(config, **{"dropout": 0.1, "attention": Parts(dropout=0.1), **changes})
