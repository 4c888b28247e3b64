"""T5 (Raffel et al., 2020): an encoder-decoder for text-to-text tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from regard.layers import DecoderBlock, DecoderCache, Dropout, Stack
from regard.layers.known_tokens import require_known
from regard.layers.through import through
from regard.masks import Causal, Padding
from regard.models.attention import Attends, across, maker
from regard.models.t5.config import T5Config
from regard.models.t5.encoder import (
    T5Encoder,
    biased,
    cross_attention,
    distances,
    feed_forward,
    residual,
    rms,
    self_attention,
    start,
)
from regard.sequences import Packed, Sequences, of_ids


@dataclass(frozen=True, eq=False)
class EncodedSource:
    """A batch of encoded texts; `mask` is the padding mask, None without padding."""

    memory: Float[Tensor, "batch k_len embed_dim"]
    mask: Padding | None


@dataclass(frozen=True, eq=False)
class DecoderState:
    """The caches of the decoder blocks."""

    caches: tuple[DecoderCache, ...]


class T5(nn.Module):
    """T5's encoder and causal decoder.

        decoder block:  as the encoder's (`T5Encoder`), but causal, with a bias of the distances of
                        its own, and x <- x + attend(rms(x), memory), which has none, between
        p(y_i) = softmax(W x_i / sqrt(embed_dim)), W the embedding;  not divided and W apart in 1.1

    The output starts with the padding token, as published.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each. The bias of the
            distances is added before its own score_mod. Cross-attention takes no mask or score_mod
            from it, because they speak of positions in one sequence.

    >>> config = T5Config(vocab=9, embed_dim=8, num_heads=2, head_dim=3, ff_dim=16, layers=2)
    >>> source, target = Sequences.of([[4, 8, 5], [6]]), torch.tensor([[0, 5], [0, 4]])
    >>> T5(config)(source, target).shape
    torch.Size([2, 2, 9])

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    config_type: ClassVar[type[T5Config]] = T5Config

    def __init__(self, config: T5Config, attend: Attends = None) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.encoder = T5Encoder(config, attend)
        self.config = replace(config, attention=self.encoder.config.attention)
        self.bias = distances(config, bidirectional=False)
        self.decoder = Stack(
            DecoderBlock(
                self_attention(config, biased(make(), self.bias)),
                cross_attention(config, across(make())),
                feed_forward(config),
                partial(residual, config),
            )
            for _ in range(config.decoder_layers or config.layers)
        )
        self.norm, self.dropout = rms(config), Dropout(config.dropout)
        start(self, config)
        self.scale = config.embed_dim**-0.5 if config.scaled else 1.0
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        if config.tied:
            self.output.weight = self.encoder.tokens.weight
        else:
            # Logits start at size 1, whether what is read is scaled or not.
            std = config.init_factor * config.embed_dim**-0.5 / self.scale
            nn.init.normal_(self.output.weight, std=std)

    @of_ids
    def forward(
        self, source: Sequences | Packed, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of each output, given the previous outputs."""
        return self.output(self.features(source, target))

    @of_ids
    def features(
        self, source: Sequences | Packed, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len width"]:
        """The input of the output layer."""
        return self.scale * self.states(source, target)[-1]

    @of_ids
    def states(
        self, source: Sequences | Packed, target: Int[Tensor, "batch q_len"]
    ) -> list[Tensor]:
        """The embedded outputs, then the output of each decoder layer, the last normalized."""
        encoded, x = self.encode(source), self._embedded(target)
        found = [x, *self.decoder.states(x, encoded.memory, Causal(), encoded.mask)]
        return [*found[:-1], self._finished(found[-1])]

    @of_ids
    def encode(self, source: Sequences | Packed) -> EncodedSource:
        """Encode the source; packed texts are encoded without padding, then put in rows."""
        memory = self.encoder(source)
        if isinstance(source, Packed):
            memory = pad_sequence(source.split(memory), batch_first=True)
            return EncodedSource(memory, Padding(source.lengths))
        return EncodedSource(memory, source.mask)

    @torch.no_grad()
    @of_ids
    def attention_weights(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output attended to each input: the last layer's mean over its heads."""
        last = self.weights(source, target)[-1]
        return reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")

    @of_ids
    def weights(
        self, source: Sequences | Packed, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the cross-attention, in every layer and head."""
        encoded = self.encode(source)
        x = self._embedded(target)
        return self.decoder.weights(x, encoded.memory, Causal(), encoded.mask)

    @of_ids
    def self_weights(
        self, source: Sequences | Packed, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "layers batch heads q_len q_len"]:
        """The exact weights of the decoder's self-attention; the encoder has its own."""
        entering = self.states(source, target)[:-1]
        found = [
            block.attention.weights(block.attention_residual.entering(x), Causal())
            for block, x in zip(self.decoder, entering, strict=True)
        ]
        return torch.stack(found)

    def start(self, encoded: EncodedSource, beams: int) -> DecoderState:
        """The state before the first token: the memory's keys and values, projected once."""
        return DecoderState(tuple(block.precompute_kv(encoded.memory) for block in self.decoder))

    def step(
        self, encoded: EncodedSource, state: DecoderState, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], DecoderState]:
        """Logits of the next output after `token`, and the state after it; `state` stays valid.

        The beams of a text are consecutive. They are queries of the same cached memory; nothing is
        copied per beam.
        """
        logits, state = self.continued(encoded, state, rearrange(token, "rows -> rows 1"))
        return rearrange(logits, "rows 1 vocab -> rows vocab"), state

    def continued(
        self, encoded: EncodedSource, state: DecoderState, tokens: Int[Tensor, "rows new"]
    ) -> tuple[Float[Tensor, "rows new vocab"], DecoderState]:
        """The same after several tokens at once."""
        caches: Sequence[DecoderCache] = tuple(cache.copy() for cache in state.caches)
        x = self.decoder(
            self._embedded(tokens), mask=Causal(), memory_mask=encoded.mask, caches=caches
        )
        return through(self.output, self.scale * self._finished(x)), DecoderState(tuple(caches))

    def _embedded(self, target: Tensor) -> Tensor:
        require_known(target, self.config.vocab)
        return self.dropout(self.encoder.tokens(target))

    def _finished(self, x: Tensor) -> Tensor:
        return self.dropout(self.norm(x))
