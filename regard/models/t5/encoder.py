"""T5's encoder, and the layers it shares with the decoder."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import (
    ACTIVATIONS,
    Attend,
    CrossAttention,
    Dropout,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    Heads,
    MultiHeadAttention,
    PreNorm,
    SelfAttention,
    Stack,
)
from regard.layers.known_tokens import require_known
from regard.layers.part_module import unwrapped
from regard.models.attention import Attends, maker, named
from regard.models.t5.config import Gated, T5EncoderConfig
from regard.score_mods import Chain, RelativeBias
from regard.sequences import Packed, Sequences, of_ids


class T5Encoder(nn.Module):
    """T5's bidirectional encoder with relative position biases.

        scores of head h = q k + b[bucket(k - q), h],  one b for all layers
        x <- x + attend(rms(x), rms(x));  x <- x + W_2 f(W_1 rms(x));  last, rms(x)

    Scores are not divided by the square root of the width: the initial weights of the queries are
    smaller by that factor instead. There are no other biases. Batches may be padded or packed;
    packed ones spend nothing on padding.

    In float16, hidden layers of published sizes overflow; bfloat16 and float32 do not.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each. The bias of the
            distances is added before its own score_mod.

    >>> config = T5EncoderConfig(vocab=9, embed_dim=8, num_heads=2, head_dim=3, ff_dim=16, layers=2)
    >>> model, texts = T5Encoder(config).eval(), Sequences.of([[4, 8, 5], [6]])
    >>> model(texts).shape, model(Packed.of(texts)).shape
    (torch.Size([2, 3, 8]), torch.Size([1, 4, 8]))

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    config_type: ClassVar[type[T5EncoderConfig]] = T5EncoderConfig

    def __init__(self, config: T5EncoderConfig, attend: Attends = None) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.tokens = nn.Embedding(config.vocab, config.embed_dim)
        self.bias = distances(config, bidirectional=True)
        given = [make() for _ in range(config.layers)]
        self.stack = Stack(
            EncoderBlock(
                self_attention(config, biased(each, self.bias)),
                feed_forward(config),
                partial(residual, config),
            )
            for each in given
        )
        self.norm, self.dropout = rms(config), Dropout(config.dropout)
        attention = named(config.attention, config.dims, given[0])
        self.config: Any = replace(config, attention=attention)
        start(self, config)

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The final state of each token; zeros at padding."""
        return source.zero_padding(self.finished(self.stack(self.embedded(source), source.mask)))

    def summary(
        self, states: Float[Tensor, "batch len embed_dim"], source: Sequences | Packed
    ) -> Float[Tensor, "rows embed_dim"]:
        """One vector per text, the mean of its tokens."""
        return source.mean(states)

    @of_ids
    def states(self, source: Sequences | Packed) -> list[Tensor]:
        """The embedded tokens, then the output of each layer, the last one normalized."""
        x = self.embedded(source)
        found = [x, *self.stack.states(x, source.mask)]
        return [*found[:-1], self.finished(found[-1])]

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.stack.weights(self.embedded(source), source.mask)

    def embedded(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The token embeddings; raises `ValueError` for an id out of range."""
        require_known(source.ids, self.tokens.num_embeddings)
        return self.dropout(self.tokens(source.ids))

    def finished(
        self, x: Float[Tensor, "batch len embed_dim"]
    ) -> Float[Tensor, "batch len embed_dim"]:
        """The final norm and dropout of the last layer's sum."""
        return self.dropout(self.norm(x))


def biased(attend: Attend, bias: RelativeBias) -> Attend:
    """The same parts, with the bias added to the scores before any other modification."""
    own = unwrapped(attend.score_mod)
    return Attend(
        score=attend.score,
        score_mod=bias if own is None else Chain(bias, own),
        mask=attend.mask,
        normalizer=attend.normalizer,
        dropout=attend.dropout,
        backend=attend.backend,
    )


def self_attention(config: T5EncoderConfig, attend: Attend) -> SelfAttention:
    """A self-attention layer."""
    return SelfAttention(config.embed_dim, _heads(config), attend, bias=False)


def cross_attention(config: T5EncoderConfig, attend: Attend) -> CrossAttention:
    """A cross-attention layer from output to input."""
    return CrossAttention(config.embed_dim, _heads(config), attend, bias=False)


def feed_forward(config: T5EncoderConfig) -> nn.Module:
    """A feed-forward layer."""
    kind: Callable[..., nn.Module]
    kind = GatedFeedForward if isinstance(config.feed_forward, Gated) else FeedForward
    activation = ACTIVATIONS[config.feed_forward.activation]
    return kind(config.embed_dim, config.ff_dim, activation, config.dropout, bias=False)


def rms(config: T5EncoderConfig) -> nn.RMSNorm:
    """An RMS norm."""
    return nn.RMSNorm(config.embed_dim, eps=config.norm_eps)


def residual(config: T5EncoderConfig) -> PreNorm:
    """The residual connection around a layer."""
    return PreNorm(rms(config), config.dropout)


def distances(config: T5EncoderConfig, bidirectional: bool) -> RelativeBias:
    """The relative position bias of a stack, initialized."""
    sizes = config.num_heads, config.buckets, config.max_distance
    bias = RelativeBias(*sizes, bidirectional=bidirectional)
    nn.init.normal_(bias.weight, std=config.init_factor * config.embed_dim**-0.5)
    return bias


def start(module: nn.Module, config: T5EncoderConfig) -> None:
    """Initialize the weights as in T5, in place; those of the attention's own parts are kept.

    Token embeddings have unit variance, and each layer preserves the variance of its input;
    queries are smaller by the root of the head width, because scores are not divided by it.
    """
    factor = config.init_factor
    for part in module.modules():
        if isinstance(part, nn.RMSNorm):
            nn.init.constant_(part.weight, factor)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=factor)
        elif isinstance(part, MultiHeadAttention):
            inputs = [part.output, *_linear(part.input)]
            _start(inputs, factor)
            queries = inputs[1].weight[: config.num_heads * config.head_dim]
            nn.init.normal_(queries, std=factor * (config.embed_dim * config.head_dim) ** -0.5)
        elif isinstance(part, (FeedForward, GatedFeedForward)):
            _start(_linear(part), factor)


def _linear(part: nn.Module) -> list[nn.Linear]:
    return [layer for layer in part.modules() if isinstance(layer, nn.Linear)]


def _start(layers: list[nn.Linear], factor: float) -> None:
    for layer in layers:
        nn.init.normal_(layer.weight, std=factor * layer.in_features**-0.5)


def _heads(config: T5EncoderConfig) -> Heads:
    return Heads(config.num_heads, head_dim=config.head_dim)
