"""The Transformer: an encoder-decoder of attention and feed-forward layers."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import AuxLoss, DecoderCache, Halting
from regard.layers.through import through
from regard.masks import Causal, Padding
from regard.models.attention import Attends, maker, named
from regard.models.transformer.assembly import (
    decoder,
    encoder,
    first_attend,
    last_norm,
    output_layer,
    token_embedding,
)
from regard.models.transformer.config import Adaptive, TransformerConfig
from regard.sequences import Sequences


@dataclass(frozen=True, eq=False)
class EncodedSource:
    """A batch of encoded source sentences; `mask` is the padding mask, None without padding."""

    memory: Float[Tensor, "batch k_len embed_dim"]
    mask: Padding | None


@dataclass(frozen=True, eq=False)
class DecoderState:
    """The caches of the decoder blocks."""

    caches: tuple[DecoderCache, ...]


class Transformer(nn.Module):
    """Encode a sentence with self-attention; decode another, attending to both.

        encoder block:  x <- norm(x + FF(x)) after x <- norm(x + attend(x, x))
        decoder block:  the same, with x <- norm(x + attend(x, memory)) between, and causal
        p(y_i) = softmax(W x_i)

    Sizes and variants are in `TransformerConfig`.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each. Cross-attention
            takes no mask or score_mod from it, because these refer to positions in one sequence.

    >>> config = TransformerConfig(source_vocab=9, target_vocab=7, embed_dim=8, layers=2)
    >>> source, target = Sequences.of([[4, 8, 5], [6]]), torch.tensor([[2, 5], [2, 4]])
    >>> Transformer(config)(source, target).shape
    torch.Size([2, 2, 7])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    config_type: ClassVar[type[TransformerConfig]] = TransformerConfig

    def __init__(self, config: TransformerConfig, attend: Attends = None) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.source = token_embedding(config.source_vocab, config)
        self.target = token_embedding(config.target_vocab, config)
        if config.ties_source:
            self.source.tokens = self.target.tokens
        self.encoder = encoder(config, config.layers, make)
        self.encoder_norm = last_norm(config)
        self.decoder = decoder(config, config.decoder_layers or config.layers, make)
        self.decoder_norm = last_norm(config)
        tied_to = None if config.tied == "none" else self.target.tokens
        self.output = output_layer(config.embed_dim, config.target_vocab, tied_to)
        attention = named(config.attention, config.dims, first_attend(self.encoder))
        self.config = replace(config, attention=attention)

    def forward(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of each output, given the previous outputs (`target` starts with `<s>`)."""
        return self.output(self.features(source, target))

    def features(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len width"]:
        """The input of the output layer."""
        return self._written(self.encode(source), target)

    def features_sampled(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> tuple[Float[Tensor, "batch q_len width"], AuxLoss | None]:
        """The same, and the ponder loss of each encoded sentence."""
        sharing = self.config.sharing
        if not isinstance(self.encoder, Halting) or not isinstance(sharing, Adaptive):
            return self.features(source, target), None
        found = self.encoder.forward_act(self.source.read(source), source.mask)
        encoded = EncodedSource(self.encoder_norm(found.output), source.mask)
        return self._written(encoded, target), found.ponder_loss(sharing.ponder_cost)

    def encode(self, source: Sequences) -> EncodedSource:
        """Encode the source."""
        memory = self.encoder(self.source.read(source), source.mask)
        return EncodedSource(self.encoder_norm(memory), source.mask)

    @torch.no_grad()
    def attention_weights(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output attended to each input: the last layer's mean over its heads."""
        last = self.weights(source, target)[-1]
        return reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")

    def weights(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the cross-attention, in every layer and head."""
        encoded = self.encode(source)
        return self.decoder.weights(self.target(target), encoded.memory, Causal(), encoded.mask)

    def start(self, encoded: EncodedSource, beams: int) -> DecoderState:
        """The state before the first token: the memory's keys and values, projected once."""
        caches = (block.precompute_kv(encoded.memory) for block in self.decoder)
        return DecoderState(tuple(caches))

    def step(
        self, encoded: EncodedSource, state: DecoderState, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], DecoderState]:
        """Logits of the next output after `token`, and the state after it; `state` stays valid.

        The beams of a sentence are consecutive. They are queries of the same cached memory;
        nothing is copied per beam.
        """
        caches = tuple(cache.copy() for cache in state.caches)
        rows = rearrange(token, "rows -> rows 1")
        x = self.target(rows, offset=caches[0].past.length)
        x = self.decoder(x, memory_mask=encoded.mask, caches=caches)
        x = rearrange(self.decoder_norm(x), "rows 1 width -> rows width")
        return through(self.output, x), DecoderState(caches)

    def _written(self, encoded: EncodedSource, target: Tensor) -> Tensor:
        x = self.decoder(self.target(target), encoded.memory, Causal(), encoded.mask)
        return self.decoder_norm(x)
