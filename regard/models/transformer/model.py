"""The Transformer: a network of attention alone."""

from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Attend, DecoderCache
from regard.masks import Causal, Padding
from regard.models.beams import rows_of_beams, rows_of_sentences
from regard.models.transformer.assembly import (
    Embedding,
    decoder,
    encoder,
    last_norm,
    output_layer,
    padding,
)
from regard.models.transformer.config import TransformerConfig


@dataclass(frozen=True, eq=False)
class Encoded:
    """A batch of source sentences, read; `mask` hides padding and is None where there is none."""

    memory: Float[Tensor, "batch k_len embed_dim"]
    mask: Padding | None

    @property
    def batch(self) -> int:
        """How many sentences there are."""
        return len(self.memory)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.memory.device


@dataclass(frozen=True, eq=False)
class State:
    """What was written so far, as each decoder block keeps it, for `beams` beams a sentence."""

    caches: tuple[DecoderCache, ...]
    beams: int


class Transformer(nn.Module):
    """Read a sentence with self-attention; write another, looking back at both.

        encoder block:  x <- norm(x + FF(x)) after x <- norm(x + attend(x, x))
        decoder block:  the same, with x <- norm(x + attend(x, memory)) between, and causal
        p(y_i) = softmax(W x_i)

    Sizes and variants are in `TransformerConfig`.

    Args:
        attend: score, score_mod, mask, normalizer and so on of every attention, copied for each;
            scaled dot product and softmax if None. Cross-attention takes no mask or score_mod from
            it, because they speak of positions in one sequence.

    >>> config = TransformerConfig(source_vocab=9, target_vocab=7, embed_dim=8, num_heads=2,
    ...                            ff_dim=16, encoder_layers=2, decoder_layers=2)
    >>> source, target = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([[2, 5], [2, 4]])
    >>> Transformer(config)(source, target, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 2, 7])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(self, config: TransformerConfig, attend: Attend | None = None) -> None:
        super().__init__()
        self.config = config
        self.source = Embedding(config.source_vocab, config)
        self.target = Embedding(config.target_vocab, config)
        if config.tied == "all":
            self.source.tokens = self.target.tokens
        self.encoder = encoder(config, config.encoder_layers, attend)
        self.encoder_norm = last_norm(config)
        self.decoder = decoder(config, config.decoder_layers, attend)
        self.decoder_norm = last_norm(config)
        tied_to = None if config.tied == "none" else self.target.tokens
        self.output = output_layer(config.embed_dim, config.target_vocab, tied_to)

    def forward(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits for each output, given the outputs before it (`target` starts with `<s>`)."""
        return self.output(self.features(source, target, lengths))

    def features(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        encoded = self.encode(source, lengths)
        x = self.decoder(self.target(target), encoded.memory, Causal(), encoded.mask)
        return self.decoder_norm(x)

    def encode(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Encoded:
        """Read the source; `lengths` are None when no sentence is padded."""
        mask = padding(source, lengths)
        return Encoded(self.encoder_norm(self.encoder(self.source(source), mask)), mask)

    def alignment(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output looked at each input: the last layer's mean over its heads."""
        last = self.alignments(encoded, target)[-1]
        return reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")

    def alignments(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the cross-attention, in every layer and head."""
        x = self.target(target)
        return self.decoder.weights(x, encoded.memory, Causal(), encoded.mask)

    def start(self, encoded: Encoded, beams: int) -> State:
        """The state before the first token: the memory's keys and values, projected once."""
        caches = (block.remember(encoded.memory) for block in self.decoder)
        return State(tuple(caches), beams)

    def step(
        self, encoded: Encoded, state: State, token: Int[Tensor, "batch beams"]
    ) -> tuple[Float[Tensor, "batch beams vocab"], State]:
        """Logits of the next output after `token`, and the state after it; `state` stays valid.

        The beams of a sentence are queries of the same cached memory; nothing is copied per beam.
        """
        caches = tuple(cache.copy() for cache in state.caches)
        rows = rearrange(token, "batch beams -> (batch beams) 1")
        x = self.target(rows, offset=caches[0].past.length)
        x = self.decoder(x, memory_mask=encoded.mask, caches=caches)
        x = rearrange(self.decoder_norm(x), "(b beams) 1 width -> b beams width", b=len(token))
        return self.output(x), State(caches, state.beams)

    def reorder(self, state: State, parent: Int[Tensor, "batch beams"]) -> State:
        """The state in which each beam continues the beam `parent` of its sentence."""
        rows = rows_of_beams(parent, state.beams)
        caches = tuple(cache.reorder(rows) for cache in state.caches)
        return State(caches, parent.shape[1])

    def select(
        self, encoded: Encoded, state: State, sentences: Int[Tensor, " some"]
    ) -> tuple[Encoded, State]:
        """The same for some of the sentences, when the others are written."""
        mask = encoded.mask
        if mask is not None and mask.lengths is not None:
            mask = Padding(mask.lengths[sentences])
        rows = rows_of_sentences(sentences, state.beams)
        caches = tuple(
            DecoderCache(cache.past.reorder(rows), cache.memory.reorder(sentences))
            for cache in state.caches
        )
        return Encoded(encoded.memory[sentences], mask), State(caches, state.beams)
