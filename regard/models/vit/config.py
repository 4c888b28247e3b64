"""The configuration of the vision transformer."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from regard.config import Between, Config, Count, Positive, Share
from regard.layers import ActivationName
from regard.models.attention import Parts
from regard.parts import Dims

Layers = Annotated[int, Between(least=1, most=1000)]


@dataclass(frozen=True, kw_only=True)
class ViTConfig(Config):
    """An image encoder as published by Dosovitskiy et al.

    Args:
        image_size: height and width of the images covered by the position embedding.
        patch_size: height and width of a patch.
        channels: channels of an image.
        embed_dim: hidden size.
        layers: number of blocks.
        num_heads: number of heads, each `embed_dim / num_heads` wide.
        ff_dim: width of the feed-forward hidden layer.
        activation: of the hidden layer.
        input_bias: whether the query, key and value projections have biases.
        attention: the parts of every attention, and the dropout on its weights.
        dropout: after each layer and on the embeddings.
        norm_eps: epsilon of the layer norms.
        init_std: standard deviation of the initial weights.
        summary_dim: width of the summary vector of an image; `embed_dim` if None.
        summary_activation: of that vector.
        pooler: whether a pooler layer computes it. Published folders may lack it: then the first
            token's state is the summary.

    Raises `ValueError` for a value out of bounds and for values that do not fit together.

    >>> ViTConfig(image_size=(224, 224)).patch_size
    (16, 16)
    """

    tag = "vit"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "image_size")

    image_size: tuple[Count, Count]
    patch_size: tuple[Count, Count] = (16, 16)
    channels: Count = 3
    embed_dim: Count = 768
    layers: Layers = 12
    num_heads: Count = 12
    ff_dim: Count = 3072
    activation: ActivationName = "gelu"
    input_bias: bool = True
    attention: Parts = Parts()
    dropout: Share = 0.0
    norm_eps: Positive = 1e-6
    init_std: Positive = 0.02
    summary_dim: Count | None = None
    summary_activation: ActivationName = "tanh"
    pooler: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("image_size", "patch_size"):
            if len(getattr(self, name)) != 2:
                raise ValueError(
                    f"{name} is a height and a width, got {len(getattr(self, name))} numbers"
                )
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
class ViTClassifierConfig(ViTConfig):
    """A vision transformer for classification, from its first token (see `ViTConfig`).

    Args:
        classes: number of labels.
        labels: their names, if known.

    Also raises `ValueError` for `summary_dim`, `summary_activation` and `pooler`, which it does not
    use.
    """

    tag = "vit_classifier"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "classes", "labels", "image_size")

    classes: Count
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.summary_dim is not None or self.summary_activation != "tanh" or not self.pooler:
            raise ValueError(
                "a classifier reads the first token as it is, without a summary; leave "
                "summary_dim, summary_activation and pooler out"
            )


def tiny(image_size: int = 224, patch_size: int = 16, **changes: Any) -> ViTConfig:
    """12 layers of 192, as in Touvron et al."""
    return _sized(image_size, patch_size, 12, 192, 3, **changes)


def small(image_size: int = 224, patch_size: int = 16, **changes: Any) -> ViTConfig:
    """12 layers of 384, as in Touvron et al., with patches of 16 or 32."""
    return _sized(image_size, patch_size, 12, 384, 6, **changes)


def base(image_size: int = 224, patch_size: int = 16, **changes: Any) -> ViTConfig:
    """The paper's base model, 12 layers of 768, with patches of 16 or 32.

    >>> base().num_heads, base(384, patch_size=32).image_size
    (12, (384, 384))

    References:
        Dosovitskiy et al. An Image is Worth 16x16 Words: Transformers for Image Recognition at
        Scale. 2021. https://arxiv.org/abs/2010.11929
        Touvron et al. Training data-efficient image transformers & distillation through attention.
        2021. https://arxiv.org/abs/2012.12877
    """
    return _sized(image_size, patch_size, 12, 768, 12, **changes)


def large(image_size: int = 224, patch_size: int = 16, **changes: Any) -> ViTConfig:
    """The paper's large model, 24 layers of 1024, with patches of 16 or 32."""
    return _sized(image_size, patch_size, 24, 1024, 16, **changes)


def huge(image_size: int = 224, patch_size: int = 14, **changes: Any) -> ViTConfig:
    """The paper's huge model, 32 layers of 1280, with patches of 14."""
    return _sized(image_size, patch_size, 32, 1280, 16, **changes)


def _sized(
    image: int, patch: int, layers: int, width: int, heads: int, **changes: Any
) -> ViTConfig:
    """All published sizes have hidden layers of four times the width."""
    sizes = {"image_size": (image, image), "patch_size": (patch, patch), "layers": layers}
    widths = {"embed_dim": width, "num_heads": heads, "ff_dim": 4 * width}
    return ViTConfig(**{**sizes, **widths, **changes})
