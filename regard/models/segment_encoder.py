"""The base of BERT-like encoders: an embedding, a stack, and a summary of the first token."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Stack
from regard.sequences import Packed, Sequences, of_ids


class SegmentEncoder(nn.Module):
    """The base: `encoder`, a bidirectional stack, reads the output of `embedded`.

    A network that summarizes texts has a `pooler`.
    """

    encoder: Stack
    pooler: nn.Linear | None

    @abstractmethod
    def embedded(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The input of the first block."""

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The final state of each token; zeros at padding."""
        return source.zero_padding(self.encoder(self.embedded(source), source.mask))

    def summary(
        self, states: Float[Tensor, "batch len embed_dim"], source: Sequences | Packed
    ) -> Float[Tensor, "rows embed_dim"]:
        """One vector per text, `tanh(W x_1 + b)` of its first token (`[CLS]`)."""
        first = source.first(states)
        return first if self.pooler is None else torch.tanh(self.pooler(first))

    def summarizing(
        self, x: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """The index, in each text, of the token that `summary` reads."""
        return source.first(x)

    @of_ids
    def states(self, source: Sequences | Packed) -> list[Tensor]:
        """The embedded tokens, then the output of each block."""
        x = self.embedded(source)
        return [x, *self.encoder.states(x, source.mask)]

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every block and head."""
        return self.encoder.weights(self.embedded(source), source.mask)
