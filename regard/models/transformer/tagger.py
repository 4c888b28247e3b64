"""The encoder of a Transformer as a tagger."""

from typing import ClassVar

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor

from regard.layers import AuxLoss, Halting
from regard.models.transformer.config import Adaptive, TransformerTaggerConfig
from regard.models.transformer.encoder_output import EncoderWithOutput
from regard.sequences import Sequences


class TransformerTagger(EncoderWithOutput):
    """Encode a sentence with self-attention and predict a tag for each word.

    `p(tag_j) = softmax(W x_j + b)`, where `x_j` is the encoder's output for word j.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> config = TransformerTaggerConfig(vocab=9, classes=3, embed_dim=8, ff_dim=16)
    >>> TransformerTagger(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 3])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    config_type: ClassVar[type[TransformerTaggerConfig]] = TransformerTaggerConfig

    config: TransformerTaggerConfig

    def forward(self, source: Sequences) -> Float[Tensor, "batch len classes"]:
        """Logits of each word's tag, zeros at padding."""
        return self._tagged(self.encoder(self.source.read(source), source.mask), source)

    def forward_sampled(
        self, source: Sequences
    ) -> tuple[Float[Tensor, "batch len classes"], AuxLoss | None]:
        """The logits, and the ponder loss of each sentence with adaptive computation time."""
        sharing = self.config.sharing
        if not isinstance(self.encoder, Halting) or not isinstance(sharing, Adaptive):
            return self(source), None
        found = self.encoder.forward_act(self.source.read(source), source.mask)
        return self._tagged(found.output, source), found.ponder_loss(sharing.ponder_cost)

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch len len"]:
        """How much each word attended to each: the last layer, averaged over its heads."""
        last = self.weights(source)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return source.zero_padding(mean)

    def weights(self, source: Sequences) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(self.source.read(source), source.mask)

    def _tagged(self, x: Tensor, source: Sequences) -> Tensor:
        return source.zero_padding(self.output(self.encoder_norm(x)))
