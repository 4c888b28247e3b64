"""The building blocks shared by the forms of the Transformer."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import nn

from regard.layers import (
    Attend,
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    Halting,
    Heads,
    PostNorm,
    PreNorm,
    SelfAttention,
    Stack,
    TokenEmbedding,
    universal,
)
from regard.models.attention import across
from regard.models.transformer.config import (
    Adaptive,
    Blocks,
    LearnedPositions,
    RotaryPositions,
    Shared,
    SinusoidalPositions,
)
from regard.positions import Learned, RoPE, Sinusoidal

Make = Callable[[], Attend]
"""The operator of each attention: its own, or a shared one."""


def token_embedding(vocab: int, config: Blocks) -> TokenEmbedding:
    """Tokens and positions; E and learned positions are initialized from N(0, 1 / embed_dim).

    With step embeddings (`universal`), the blocks add positions, too, and the embedding does not.
    """
    width, dropout = config.embed_dim, config.dropout
    if isinstance(config.positions, LearnedPositions):
        learned = Learned(config.max_length, width)
        nn.init.normal_(learned.weight, std=width**-0.5)
        return TokenEmbedding(vocab, width, positions=learned, dropout=dropout)
    if isinstance(config.positions, SinusoidalPositions):
        positions = None if config.tells_the_step else Sinusoidal()
        return TokenEmbedding(vocab, width, positions=positions, scale=width**0.5, dropout=dropout)
    return TokenEmbedding(vocab, width, dropout=dropout)


def encoder(config: Blocks, layers: int, make: Make) -> Stack | Halting:
    """A stack of self-attention and feed-forward."""
    stack = _stack(config, layers, lambda: _encoder_block(config, make))
    return Halting(stack, config.embed_dim) if isinstance(config.shares, Adaptive) else stack


def decoder(config: Blocks, layers: int, make: Make) -> Stack:
    """A stack of self-attention, cross-attention and feed-forward."""
    return _stack(config, layers, lambda: _decoder_block(config, make))


def last_norm(config: Blocks) -> nn.Module:
    """The final norm of a stack: pre-norm blocks leave an unnormalized sum."""
    return nn.LayerNorm(config.embed_dim) if config.norm == "pre" else nn.Identity()


def output_layer(embed_dim: int, outputs: int, tied_to: nn.Embedding | None = None) -> nn.Linear:
    """Logits, from the embedding's own weights if it is tied to one."""
    layer = nn.Linear(embed_dim, outputs, bias=False)
    if tied_to is None:
        nn.init.normal_(layer.weight, std=embed_dim**-0.5)
    else:
        layer.weight = tied_to.weight
    return layer


def _stack(config: Blocks, layers: int, block: Callable[[], nn.Module]) -> Stack:
    """Blocks one after the other, with the weights that they share."""
    if config.tells_the_step:
        return universal(block(), layers)
    if isinstance(config.shares, Shared):
        return Stack.shared(block(), layers)
    return Stack(block() for _ in range(layers))


def _encoder_block(config: Blocks, make: Make) -> EncoderBlock:
    return EncoderBlock(_self_attention(config, make()), _feed_forward(config), _residual(config))


def _decoder_block(config: Blocks, make: Make) -> DecoderBlock:
    return DecoderBlock(
        _self_attention(config, make()),
        CrossAttention(config.embed_dim, _heads(config), across(make())),
        _feed_forward(config),
        _residual(config),
    )


def _heads(config: Blocks) -> Heads:
    return Heads(config.num_heads, config.kv_heads)


def _self_attention(config: Blocks, attend: Attend) -> SelfAttention:
    turns = isinstance(config.positions, RotaryPositions)
    positions = RoPE() if turns else None
    return SelfAttention(config.embed_dim, _heads(config), attend, positions=positions)


def _feed_forward(config: Blocks) -> nn.Module:
    if config.activation == "swiglu":
        return GatedFeedForward(config.embed_dim, config.ff_dim, dropout=config.ff_dropout)
    activation = F.gelu if config.activation == "gelu" else F.relu
    return FeedForward(config.embed_dim, config.ff_dim, activation, config.ff_dropout)


def _residual(config: Blocks) -> Callable[[], Any]:
    kind = PreNorm if config.norm == "pre" else PostNorm
    return lambda: kind(nn.LayerNorm(config.embed_dim), config.dropout)


def first_attend(stack: Stack | Halting) -> Attend:
    """The operator of the first self-attention, whose parts are those of all."""
    return next(module for module in stack.modules() if isinstance(module, Attend))
