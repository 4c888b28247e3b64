"""The encoder of a Transformer as a classifier."""

from typing import ClassVar

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor

from regard.layers import AuxLoss, Halting
from regard.models.transformer.config import Adaptive, TransformerClassifierConfig
from regard.models.transformer.encoder_output import EncoderWithOutput
from regard.sequences import Packed, Sequences, of_ids


class TransformerClassifier(EncoderWithOutput):
    """Encode a text with self-attention and predict one of several classes.

    `p(class) = softmax(W pool(x_1 ... x_n) + b)`; the mean excludes padding. Several texts may be
    packed in one row (`Packed`), so that padding costs nothing.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> config = TransformerClassifierConfig(vocab=9, classes=3, embed_dim=8, ff_dim=16)
    >>> TransformerClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    config_type: ClassVar[type[TransformerClassifierConfig]] = TransformerClassifierConfig

    config: TransformerClassifierConfig

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        return self.output(self.features(source))

    @of_ids
    def forward_sampled(
        self, source: Sequences | Packed
    ) -> tuple[Float[Tensor, "batch classes"], AuxLoss | None]:
        """The logits, and the ponder loss of each text with adaptive computation time."""
        sharing = self.config.sharing
        if not isinstance(self.encoder, Halting) or not isinstance(sharing, Adaptive):
            return self(source), None
        x = self.source.read(source)
        found = self.encoder.forward_act(x, source.mask, **self._positions(source))
        features = self._pooled(self.encoder_norm(found.output), source)
        return self.output(features), found.ponder_loss(sharing.ponder_cost)

    @of_ids
    def features(self, source: Sequences | Packed) -> Float[Tensor, "batch width"]:
        """What the output layer reads: one vector for each text; zeros for the mean of nothing."""
        x = self.source.read(source)
        x = self.encoder_norm(self.encoder(x, source.mask, **self._positions(source)))
        return self._pooled(x, source)

    @torch.no_grad()
    @of_ids
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch k_len"]:
        """How much each token counted in the pooled vector: the last layer, averaged over heads."""
        last = self.weights(source)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return self._pooled(mean, source)

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        x = self.source.read(source)
        return self.encoder.weights(x, source.mask, **self._positions(source))

    def _positions(self, source: Sequences | Packed) -> dict[str, Tensor]:
        """Where the tokens stand, for blocks that add it themselves and cannot count it."""
        counts = self.config.tells_the_step and isinstance(source, Packed)
        return {"positions": source.positions} if counts else {}

    def _pooled(
        self, x: Float[Tensor, "batch q_len width"], source: Sequences | Packed
    ) -> Float[Tensor, "rows width"]:
        return source.first(x) if self.config.pooling == "first" else source.mean(x)
