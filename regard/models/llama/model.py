"""LLaMA (Touvron et al., 2023): a decoder with rotary positions and gated feed-forward layers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._torch_private import can_look_at
from regard.layers import (
    ACTIVATIONS,
    EncoderBlock,
    GatedFeedForward,
    Heads,
    Past,
    PreNorm,
    SelfAttention,
    Stack,
    TokenEmbedding,
)
from regard.layers.known_tokens import require_known
from regard.masks import And, Causal
from regard.models.attention import Attends, maker, named
from regard.models.first_weights import start_normal
from regard.models.llama.config import LlamaConfig
from regard.positions import RoPE
from regard.positions.rope import Scaling
from regard.sequences import Packed, Sequences, texts


class Llama(nn.Module):
    """LLaMA's causal decoder.

        x = E[token];  norm(x) = g x / sqrt(mean(x²) + eps)
        x <- x + attend(turn(W_q norm(x)), turn(W_k norm(x)), W_v norm(x)), causal
        x <- x + W_2 (silu(W_g norm(x)) * W_1 norm(x))

    Batches may be padded or packed; packed ones spend nothing on padding.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    Raises `ValueError` for a sequence longer than `max_length` and for a token id out of range.

    >>> config = LlamaConfig(vocab=9, embed_dim=8, num_heads=2, kv_heads=1, ff_dim=16, layers=2)
    >>> model, texts = Llama(config).eval(), Sequences.of([[4, 8, 5], [6]])
    >>> model(texts).shape, model(Packed.of(texts)).shape
    (torch.Size([2, 3, 8]), torch.Size([1, 4, 8]))

    References:
        Touvron et al. LLaMA: Open and Efficient Foundation Language Models. 2023.
        https://arxiv.org/abs/2302.13971
    """

    config_type: ClassVar[type[LlamaConfig]] = LlamaConfig

    def __init__(
        self, config: LlamaConfig, attend: Attends = None, summarizes: bool = True
    ) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = TokenEmbedding(config.vocab, config.embed_dim)
        blocks = [_block(config, make()) for _ in range(config.layers)]
        self.decoder = Stack(blocks)
        self.norm = nn.RMSNorm(config.embed_dim, config.norm_eps)
        attention = named(config.attention, config.dims, blocks[0].attention.heads.attend)
        self.config: Any = replace(config, attention=attention)
        start_normal(self, config.init_std)

    def forward(
        self, source: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "batch len embed_dim"]:
        """The final state of each token; zeros at padding."""
        source = texts(source)
        x = self.decoder(self._embedded(source), causal(source))
        return source.zero_padding(self.norm(x))

    def after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new embed_dim"]:
        """The same for tokens that follow those in the caches, and are appended to them.

        Where their texts begin (`positions`) does not matter: rotated queries and keys encode only
        their distance.
        """
        require_known(tokens, self.config.vocab)
        mask = Causal() if tokens.shape[1] > 1 else None
        return self.norm(self.decoder(self.embedding(tokens), mask, caches=caches))

    def summary(
        self, states: Float[Tensor, "batch len embed_dim"], source: Sequences | Packed
    ) -> Float[Tensor, "rows embed_dim"]:
        """One vector per text: that of its last token, the only one that has seen all of it."""
        return source.last(states)

    def summarizing(
        self, x: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """The index, in each text, of the token that `summary` reads."""
        return source.last(x)

    def states(self, source: Int[Tensor, "batch len"] | Sequences | Packed) -> list[Tensor]:
        """The embedded tokens, then the output of each layer, that of the last normalized."""
        source = texts(source)
        x = self._embedded(source)
        *inner, last = self.decoder.states(x, causal(source))
        return [x, *inner, self.norm(last)]

    def weights(
        self, source: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        source = texts(source)
        return self.decoder.weights(self._embedded(source), causal(source))

    def _embedded(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The vectors of the tokens, which do not know their places."""
        require_known(source.ids, self.config.vocab)
        _require_short(source, self.config.max_length)
        return self.embedding.read(source)


def causal(source: Sequences | Packed) -> Any:
    """The mask that lets each token see itself and the preceding ones of its own sequence."""
    return Causal() if source.mask is None else And(Causal(), source.mask)


def _require_short(source: Sequences | Packed, most: int) -> None:
    """Raise `ValueError` for a sequence that is longer, as far as that is free to know."""
    longest = source.ids.shape[1]
    if longest > most and isinstance(source, Packed):
        longest = int(source.lengths.max()) if can_look_at(source.lengths) else most
    if longest > most:
        raise ValueError(
            f"a sequence of {longest:,} tokens is longer than the {most:,} that the network reads "
            f"(max_length={most}); cut it, or set max_length: no weight depends on it"
        )


def _scaling(config: LlamaConfig) -> Scaling | None:
    return None if config.rope_scaling is None else config.rope_scaling.scaling


def _block(config: LlamaConfig, attend: Any) -> Any:
    width, bias = config.embed_dim, config.ff_bias
    return EncoderBlock(
        SelfAttention(
            width,
            Heads(config.num_heads, config.kv_heads, config.width),
            attend,
            positions=RoPE(config.rope_base, scaling=_scaling(config)),
            bias=config.attention_bias,
        ),
        GatedFeedForward(width, config.ff_dim, ACTIVATIONS[config.activation], bias=bias),
        lambda: PreNorm(nn.RMSNorm(width, config.norm_eps)),
    )
