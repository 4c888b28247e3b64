"""The sizes of Transformers, in their three forms."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class Blocks(Configuration):
    """What the three forms have in common: the shape of a block.

    Args:
        embed_dim: width of a token.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        ff_dim: width of the hidden layer for each token.
        dropout: after each layer and on the embeddings, as in the paper.
        ff_dropout: on the hidden layer too.
        norm: `post` as published, after each residual sum, or `pre`, before each layer.
        activation: of the hidden layer; `swiglu` has a gate and half as many weights again.
        positions: `sinusoidal` (added, embeddings times sqrt(embed_dim)), `learned` (added),
            `rope` (queries and keys turned), or `none`.
        max_length: number of learned positions; None for all others.
        kv_heads: number of key/value heads; `num_heads` if None.
        sharing: `none`, every block has its own weights; `all`, one block is used for all layers
            (ALBERT); `universal`, it is also told position and step before each use (Universal
            Transformer); `adaptive`, each position of an encoder moreover decides how many steps it
            takes, of which `layers` is the greatest number.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds or values
    that do not fit together.
    """

    limits: ClassVar[dict[str, int]] = {
        "source_vocab": MOST_TOKENS,
        "target_vocab": MOST_TOKENS,
        "vocab": MOST_TOKENS,
        "max_length": 2**24,
        "encoder_layers": 1000,
        "decoder_layers": 1000,
        "layers": 1000,
    }
    added: ClassVar[dict[str, Any]] = {"sharing": "none"}

    embed_dim: int
    num_heads: int
    ff_dim: int
    dropout: float = 0.1
    ff_dropout: float = 0.0
    norm: Literal["post", "pre"] = "post"
    activation: Literal["relu", "gelu", "swiglu"] = "relu"
    positions: Literal["sinusoidal", "learned", "rope", "none"] = "sinusoidal"
    max_length: int | None = None
    kv_heads: int | None = None
    sharing: Literal["none", "all", "universal", "adaptive"] = "none"

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
        if self.positions == "rope" and self.embed_dim // self.num_heads % 2:
            raise ValueError(
                "rope turns pairs of numbers, but a head is embed_dim / num_heads = "
                f"{self.embed_dim // self.num_heads} wide, which is odd"
            )
        if (self.positions == "learned") != (self.max_length is not None):
            raise ValueError(
                "max_length is the number of learned positions: give both or neither, got "
                f"positions {self.positions!r} and max_length {self.max_length}"
            )
        if self.tells_the_step and self.positions != "sinusoidal":
            raise ValueError(
                f"sharing {self.sharing!r} adds sinusoids before each step: it needs positions "
                f"'sinusoidal', got {self.positions!r}"
            )

    @property
    def tells_the_step(self) -> bool:
        """Are position and step added before each block, and not to the embeddings?"""
        return self.sharing in ("universal", "adaptive")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Blocks):
    """An encoder and a decoder (see `Blocks` for what they are built of).

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        tied: `output` uses the target embedding as the output layer, `all` the source embedding
            too, as in the paper.

    >>> TransformerConfig(source_vocab=8000, target_vocab=8000, embed_dim=128, num_heads=4,
    ...                   ff_dim=256, encoder_layers=4, decoder_layers=4, tied="all").norm
    'post'
    """

    model_type: ClassVar[str] = "transformer"

    source_vocab: int
    target_vocab: int
    encoder_layers: int
    decoder_layers: int
    tied: Literal["none", "output", "all"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied == "all" and self.source_vocab != self.target_vocab:
            raise ValueError(
                "tied='all' needs one vocabulary for both sides, but source_vocab is "
                f"{self.source_vocab} and target_vocab {self.target_vocab}; use tied='output'"
            )


@dataclass(frozen=True, kw_only=True)
class TransformerClassifierConfig(Blocks):
    """An encoder that answers with one of several classes (see `Blocks`).

    Args:
        vocab: number of different tokens.
        classes: number of different answers.
        layers: number of blocks.
        pool: which token the answer is read from: the `first`, or the `mean` of all.

    >>> TransformerClassifierConfig(vocab=8000, classes=4, embed_dim=128, num_heads=4, ff_dim=256,
    ...                             layers=2).pool
    'mean'
    """

    model_type: ClassVar[str] = "transformer_classifier"

    vocab: int
    classes: int
    layers: int
    pool: Literal["first", "mean"] = "mean"


@dataclass(frozen=True, kw_only=True)
class TransformerLMConfig(Blocks):
    """A decoder without an encoder, which continues a text (see `Blocks`).

    Args:
        vocab: number of different tokens.
        layers: number of blocks.
        tied: `output` uses the embedding as the output layer.

    >>> TransformerLMConfig(vocab=65, embed_dim=128, num_heads=4, ff_dim=512, layers=4,
    ...                     norm="pre", positions="learned", max_length=64).max_length
    64
    """

    model_type: ClassVar[str] = "transformer_lm"

    vocab: int
    layers: int
    tied: Literal["none", "output"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sharing == "adaptive":
            raise ValueError(
                "sharing 'adaptive' is for encoders, because halting keeps no caches; use "
                "'universal' for a language model"
            )


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
        "encoder_layers": 6,
        "decoder_layers": 6,
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
