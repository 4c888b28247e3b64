"""What the three forms of the Transformer are put together from."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._torch_private import can_look_at, is_traced
from regard.layers import (
    Attend,
    CrossAttention,
    DecoderBlock,
    Dropout,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    Halting,
    PostNorm,
    PreNorm,
    SelfAttention,
    Stack,
    universal,
)
from regard.masks import Padding
from regard.models.transformer.config import Blocks
from regard.positions import Learned, RoPE, sinusoidal


class Embedding(nn.Module):
    """Tokens as vectors that know where they stand, then dropout.

    `E[token] sqrt(embed_dim) + sinusoid[position]`, or `E[token] + P[position]` with learned
    positions, or `E[token]`; E starts as N(0, 1 / embed_dim), and so does P. Blocks that are told
    the step are told the position too (`universal`), and the embedding does not say it.
    """

    def __init__(self, vocab: int, config: Blocks) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, config.embed_dim)
        nn.init.normal_(self.tokens.weight, std=config.embed_dim**-0.5)
        self.learned: Learned | None = None
        if config.max_length is not None:
            self.learned = Learned(config.max_length, config.embed_dim)
            nn.init.normal_(self.learned.weight, std=config.embed_dim**-0.5)
        self.scale = config.embed_dim**0.5 if config.positions == "sinusoidal" else 1.0
        self.waves: Tensor | None = None
        self.sinusoidal = config.positions == "sinusoidal" and not config.tells_the_step
        self.dropout = Dropout(config.dropout)

    def forward(
        self, tokens: Int[Tensor, "batch len"], offset: int = 0
    ) -> Float[Tensor, "batch len embed_dim"]:
        """Embed tokens, the first of which stands at position `offset`."""
        x, length = self.tokens(tokens), tokens.shape[1]
        if self.sinusoidal:
            waves = self._waves(offset + length, x)[offset : offset + length]
            x = torch.add(waves, x, alpha=self.scale)
        elif self.scale != 1.0:
            x = x * self.scale
        elif self.learned is not None:
            x = x + self.learned(length, offset=offset)
        return self.dropout(x)

    def _waves(self, length: int, like: Tensor) -> Tensor:
        """The sinusoids of at least `length` positions, kept for the next call."""
        if is_traced():
            # What a recording or a transform makes must not outlive it.
            width = self.tokens.embedding_dim
            return sinusoidal(length, width, device=like.device).to(like.dtype)
        waves = self.waves
        if (
            waves is None
            or len(waves) < length
            or (waves.dtype, waves.device) != (like.dtype, like.device)
        ):
            waves = sinusoidal(max(length, 256), like.shape[-1], device=like.device)
            self.waves = waves = waves.to(like.dtype)
        return waves


def encoder(config: Blocks, layers: int, attend: Attend | None) -> Stack | Halting:
    """A stack of self-attention and feed-forward."""
    stack = _stack(config, layers, lambda: _encoder_block(config, attend))
    return Halting(stack, config.embed_dim) if config.sharing == "adaptive" else stack


def decoder(config: Blocks, layers: int, attend: Attend | None) -> Stack:
    """A stack of self-attention, cross-attention and feed-forward."""
    return _stack(config, layers, lambda: _decoder_block(config, attend))


def last_norm(config: Blocks) -> nn.Module:
    """What stands behind a stack: blocks that normalize first leave a sum that nobody did."""
    return nn.LayerNorm(config.embed_dim) if config.norm == "pre" else nn.Identity()


def output_layer(embed_dim: int, outputs: int, tied_to: nn.Embedding | None = None) -> nn.Linear:
    """Logits, from the embedding's own weights if it is tied to one."""
    layer = nn.Linear(embed_dim, outputs, bias=False)
    if tied_to is None:
        nn.init.normal_(layer.weight, std=embed_dim**-0.5)
    else:
        layer.weight = tied_to.weight
    return layer


def padding(tokens: Int[Tensor, "batch len"], lengths: Tensor | None) -> Padding | None:
    """The mask of what is padded; None where nothing is, as far as a CPU can tell at no cost."""
    if lengths is None:
        return None
    if can_look_at(lengths) and bool((lengths >= tokens.shape[1]).all()):
        return None
    return Padding(lengths)


def _stack(config: Blocks, layers: int, block: Callable[[], nn.Module]) -> Stack:
    """Blocks one after the other, with the weights that they share."""
    if config.tells_the_step:
        return universal(block(), layers)
    if config.sharing == "all":
        return Stack.shared(block(), layers)
    return Stack(block() for _ in range(layers))


def _encoder_block(config: Blocks, attend: Attend | None) -> EncoderBlock:
    return EncoderBlock(_self_attention(config, attend), _feed_forward(config), _residual(config))


def _decoder_block(config: Blocks, attend: Attend | None) -> DecoderBlock:
    return DecoderBlock(
        _self_attention(config, attend),
        CrossAttention(
            config.embed_dim, config.num_heads, _across(attend), kv_heads=config.kv_heads
        ),
        _feed_forward(config),
        _residual(config),
    )


def _self_attention(config: Blocks, attend: Attend | None) -> SelfAttention:
    return SelfAttention(
        config.embed_dim,
        config.num_heads,
        deepcopy(attend),
        kv_heads=config.kv_heads,
        positions=RoPE() if config.positions == "rope" else None,
    )


def _across(attend: Attend | None) -> Attend | None:
    """The parts for two sequences: masks and score mods speak of positions within one."""
    if attend is None:
        return None
    own = deepcopy(attend)
    return Attend(
        score=own.score, normalizer=own.normalizer, dropout=own.dropout, backend=own.backend
    )


def _feed_forward(config: Blocks) -> nn.Module:
    if config.activation == "swiglu":
        return GatedFeedForward(config.embed_dim, config.ff_dim, dropout=config.ff_dropout)
    activation = F.gelu if config.activation == "gelu" else F.relu
    return FeedForward(config.embed_dim, config.ff_dim, activation, config.ff_dropout)


def _residual(config: Blocks) -> Callable[[], Any]:
    kind = PreNorm if config.norm == "pre" else PostNorm
    return lambda: kind(nn.LayerNorm(config.embed_dim), config.dropout)
