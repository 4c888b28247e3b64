"""The configuration of BERT and of its heads."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from regard.config import Between, Config, Count, LargeCount, Positive, Share
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class BertSizes(Config):
    """An encoder as Devlin et al. published it.

    Args:
        vocab: vocabulary size.
        max_length: maximum sequence length, the number of positions.
        segments: number of segment types.
        embed_dim: hidden size.
        layers: number of blocks.
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
    embed_dim: Count = 768
    layers: Layers = 12
    num_heads: Count = 12
    ff_dim: Count = 3072
    activation: ActivationName = "gelu"
    attention: Parts = Parts(dropout=0.1)
    dropout: Share = 0.1
    norm_eps: Positive = 1e-12
    init_std: Positive = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )

    @property
    def dims(self) -> Dims:
        """The widths of a head."""
        width = self.embed_dim // self.num_heads
        return Dims(width, width, width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class BertConfig(BertSizes):
    """BERT's encoder alone (see `BertSizes`).

    Args:
        pooler: whether a pooler layer is applied to the first token's state. Published folders may
            lack it: then the state itself is the summary.

    >>> BertConfig(vocab=30_522).ff_dim
    3072
    """

    tag = "bert"

    pooler: bool = True


@dataclass(frozen=True, kw_only=True)
class BertClassifierConfig(BertSizes):
    """BERT for text classification (see `BertSizes`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer; `dropout` if None.
    """

    tag = "bert_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share | None = None


@dataclass(frozen=True, kw_only=True)
class BertTaggerConfig(BertSizes):
    """BERT for token classification (see `BertSizes`).

    Args:
        classes: number of labels.
        labels: their names, if known.
        output_dropout: on the input of the output layer; `dropout` if None.
    """

    tag = "bert_tagger"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "labels", "max_length")

    classes: Count
    labels: tuple[str, ...] = ()
    output_dropout: Share | None = None


@dataclass(frozen=True, kw_only=True)
class BertSpansConfig(BertSizes):
    """BERT for extractive question answering (see `BertSizes`)."""

    tag = "bert_spans"


@dataclass(frozen=True, kw_only=True)
class BertMaskedLMConfig(BertSizes):
    """BERT for masked language modeling (see `BertSizes`).

    Args:
        tied: whether the output layer shares the weights of the embedding.
        next_sentence: whether it also has a next-sentence head.
    """

    tag = "bert_masked_lm"

    tied: bool = True
    next_sentence: bool = False


def tiny(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """The smallest of Turc et al.'s compact sizes, 2 layers of 128."""
    return _sized(vocab, 2, 128, **changes)


def mini(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """Turc et al.'s 4 layers of 256."""
    return _sized(vocab, 4, 256, **changes)


def small(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """Turc et al.'s 4 layers of 512."""
    return _sized(vocab, 4, 512, **changes)


def medium(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """Turc et al.'s 8 layers of 512."""
    return _sized(vocab, 8, 512, **changes)


def base(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """The paper's base model, 12 layers of 768.

    >>> base().num_heads
    12

    References:
        Devlin, Chang, Lee & Toutanova. BERT: Pre-training of Deep Bidirectional Transformers for
        Language Understanding. 2019. https://arxiv.org/abs/1810.04805
        Turc, Chang, Lee & Toutanova. Well-Read Students Learn Better. 2019.
        https://arxiv.org/abs/1908.08962
    """
    return _sized(vocab, 12, 768, **changes)


def large(vocab: int = 30_522, **changes: Any) -> BertConfig:
    """The paper's large model, 24 layers of 1024."""
    return _sized(vocab, 24, 1024, **changes)


def _sized(vocab: int, layers: int, width: int, **changes: Any) -> BertConfig:
    """All published sizes have heads of 64 numbers and hidden layers of four times the width."""
    sizes = {"layers": layers, "embed_dim": width, "num_heads": width // 64, "ff_dim": 4 * width}
    return BertConfig(vocab=vocab, **{**sizes, **changes})
