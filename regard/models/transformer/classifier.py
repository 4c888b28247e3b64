"""The encoder of a Transformer as a classifier."""

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Attend, Halting, Toll
from regard.models.transformer.assembly import (
    Embedding,
    encoder,
    last_norm,
    output_layer,
    padding,
)
from regard.models.transformer.config import TransformerClassifierConfig


class TransformerClassifier(nn.Module):
    """Read a text with self-attention and answer with one of several classes.

    `p(class) = softmax(W pool(x_1 ... x_n) + b)`; the mean is taken over what is not padding.

    Args:
        attend: score, mask, normalizer and so on of every attention, copied for each.
        ponder: nats that a step costs in training, where each position decides how many it takes;
            a text pays for the mean over its tokens of Graves' `N + R`.

    >>> config = TransformerClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2,
    ...                                      ff_dim=16, layers=2)
    >>> source = torch.tensor([[4, 8, 5], [6, 0, 0]])
    >>> TransformerClassifier(config)(source, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 3])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        config: TransformerClassifierConfig,
        attend: Attend | None = None,
        ponder: float = 0.01,
    ) -> None:
        super().__init__()
        self.config, self.ponder = config, ponder
        self.source = Embedding(config.vocab, config)
        self.encoder = encoder(config, config.layers, attend)
        self.encoder_norm = last_norm(config)
        self.output = output_layer(config.embed_dim, config.classes)
        self.output.bias = nn.Parameter(torch.zeros(config.classes))

    def forward(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the classes; `lengths` are None when no text is padded."""
        return self.output(self.features(source, lengths))

    def explore(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "batch classes"], Toll | None]:
        """The logits, and what each text pays for its steps where they are its own choice."""
        if not isinstance(self.encoder, Halting):
            return self(source, lengths), None
        found = self.encoder.ponder(self.source(source), padding(source, lengths))
        features = self._pooled(self.encoder_norm(found.output), lengths)
        return self.output(features), found.toll(self.ponder)

    def features(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """What the output layer reads: one vector for each text; zeros for the mean of nothing."""
        x = self.encoder_norm(self.encoder(self.source(source), padding(source, lengths)))
        return self._pooled(x, lengths)

    def look(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch k_len"]:
        """How much each token counted in what the output layer saw: the last layer, heads alike."""
        last = self.weights(source, lengths)[-1]
        return self._pooled(
            reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean"), lengths
        )

    def weights(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(self.source(source), padding(source, lengths))

    def _pooled(
        self, x: Float[Tensor, "batch q_len width"], lengths: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch width"]:
        """The first row, or the mean over what is not padding."""
        if self.config.pool == "first":
            return x[:, 0]
        if lengths is None:
            return x.mean(1)
        position = torch.arange(x.shape[1], device=x.device)
        real = rearrange(position < lengths.unsqueeze(1), "batch q_len -> batch q_len 1")
        return x.masked_fill(~real, 0.0).sum(1) / lengths.clamp(min=1).unsqueeze(1)
