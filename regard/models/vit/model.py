"""The vision transformer (Dosovitskiy et al., 2021): an encoder whose tokens are patches."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import (
    ACTIVATIONS,
    EncoderBlock,
    FeedForward,
    PatchEmbedding,
    PreNorm,
    SelfAttention,
    Stack,
)
from regard.models.attention import Attends, maker, named
from regard.models.first_weights import start_normal
from regard.models.vit.config import ViTClassifierConfig, ViTConfig


class ViT(nn.Module):
    """A vision transformer: a Transformer encoder over patches and a class token.

        x = [c; W patch_1 + b; ...] + P
        x <- x + attend(norm(x), norm(x));  x <- x + W_2 gelu(W_1 norm(x));  at last norm(x)

    Images must have the size of the position embedding; with `interpolate=True` they may have
    another, and positions are interpolated.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> config = ViTConfig(image_size=(8, 8), patch_size=(4, 4), embed_dim=8, num_heads=2, layers=2)
    >>> model, images = ViT(config).eval(), torch.randn(3, 3, 8, 8)
    >>> model(images).shape, model.summary(model(images)).shape
    (torch.Size([3, 5, 8]), torch.Size([3, 8]))

    References:
        Dosovitskiy et al. An Image is Worth 16x16 Words: Transformers for Image Recognition at
        Scale. 2021. https://arxiv.org/abs/2010.11929
    """

    config_type: ClassVar[type[ViTConfig]] = ViTConfig

    def __init__(self, config: ViTConfig, attend: Attends = None, summarizes: bool = True) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = PatchEmbedding(
            config.embed_dim,
            image_size=config.image_size,
            patch_size=config.patch_size,
            channels=config.channels,
            dropout=config.dropout,
        )
        blocks = [_block(config, make()) for _ in range(config.layers)]
        self.encoder = Stack(blocks)
        self.norm = nn.LayerNorm(config.embed_dim, config.norm_eps)
        width = config.summary_dim or config.embed_dim
        self.pooler = nn.Linear(config.embed_dim, width) if summarizes and config.pooler else None
        self.activation = ACTIVATIONS[config.summary_activation]
        attention = named(config.attention, config.dims, blocks[0].attention.heads.attend)
        self.config: Any = replace(config, attention=attention)
        start_normal(self, config.init_std)
        nn.init.normal_(self.embedding.class_token, std=config.init_std)

    def forward(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "batch tokens embed_dim"]:
        """The final states of the first token and of each patch, row by row."""
        return self.norm(self.encoder(self.embedding(images, interpolate)))

    def summary(
        self, states: Float[Tensor, "batch tokens embed_dim"]
    ) -> Float[Tensor, "batch summary_dim"]:
        """One vector per image, `tanh(W x_1 + b)` of its first token, or that token."""
        first = states[:, 0]
        return first if self.pooler is None else self.activation(self.pooler(first))

    def states(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> list[Tensor]:
        """The embedded patches, then the output of each layer, before the last norm."""
        x = self.embedding(images, interpolate)
        return [x, *self.encoder.states(x)]

    def weights(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(self.embedding(images, interpolate))


class ViTClassifier(nn.Module):
    """A vision transformer for image classification: `softmax(W norm(x_1) + b)`.

    >>> config = ViTClassifierConfig(image_size=(8, 8), patch_size=(4, 4), classes=3, embed_dim=8,
    ...                              num_heads=2, layers=1)
    >>> model, images = ViTClassifier(config), torch.randn(2, 3, 8, 8)
    >>> model(images).shape, model.attention_weights(images).shape
    (torch.Size([2, 3]), torch.Size([2, 2, 2]))
    """

    config_type: ClassVar[type[ViTClassifierConfig]] = ViTClassifierConfig

    def __init__(self, config: ViTClassifierConfig, attend: Attends = None) -> None:
        super().__init__()
        self.encoder = ViT(config, attend, summarizes=False)
        self.config: Any = self.encoder.config
        self.output = nn.Linear(config.embed_dim, config.classes)
        start_normal(self.output, config.init_std)

    def forward(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        return self.output(self.features(images, interpolate))

    def features(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "batch embed_dim"]:
        """The input of the output layer: one vector per image."""
        return self.encoder.summary(self.encoder(images, interpolate))

    def weights(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(images, interpolate)

    @torch.no_grad()
    def attention_weights(
        self, images: Float[Tensor, "batch channels height width"], interpolate: bool = False
    ) -> Float[Tensor, "batch rows columns"]:
        """How much the first token attended to each patch: the last layer, averaged over heads."""
        last = self.weights(images, interpolate)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")[:, 0, 1:]
        rows, _ = self.encoder.embedding.grid((images.shape[2], images.shape[3]))
        return rearrange(mean, "batch (rows columns) -> batch rows columns", rows=rows)


def _block(config: ViTConfig, attend: Any) -> Any:
    attention = SelfAttention(config.embed_dim, config.num_heads, attend)
    if not config.input_bias:
        attention.heads.input.register_parameter("bias", None)
    return EncoderBlock(
        attention,
        FeedForward(config.embed_dim, config.ff_dim, ACTIVATIONS[config.activation]),
        lambda: PreNorm(nn.LayerNorm(config.embed_dim, config.norm_eps), config.dropout),
    )
