"""What is put upon an encoder to label texts or tokens, and to find answers: the same for all."""

from typing import Any, ClassVar

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Dropout
from regard.models.attention import Attends
from regard.models.first_weights import start_normal
from regard.sequences import Packed, Sequences


class EncoderHead(nn.Module):
    """The base: an encoder of a family, and a linear layer.

    A family's encoder takes its configuration, gives the states of tokens (`forward`), one vector
    for each text (`summary`), and its `weights`.
    """

    encoder_type: ClassVar[Any]
    config_type: ClassVar[Any]
    summarizes: ClassVar[bool] = False
    output_bias: ClassVar[bool] = True

    def __init__(self, config: Any, attend: Attends, outputs: int) -> None:
        super().__init__()
        self.encoder = self.encoder_type(config, attend, summarizes=self.summarizes)
        self.config: Any = self.encoder.config
        given = getattr(config, "output_dropout", None)
        self.dropout = Dropout(config.dropout if given is None else given)
        self.output = nn.Linear(config.embed_dim, outputs, self.output_bias)
        start_normal(self.output, config.init_std)

    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(source)


class EncoderClassifier(EncoderHead):
    """A label for each text: `softmax(W summary(x) + b)`."""

    summarizes = True

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, config.classes)

    def forward(self, source: Sequences | Packed) -> Float[Tensor, "rows classes"]:
        """Logits of the labels."""
        return self.output(self.features(source))

    def features(self, source: Sequences | Packed) -> Float[Tensor, "rows width"]:
        """What the output layer reads: one vector for each text."""
        return self.dropout(self.encoder.summary(self.encoder(source), source))

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch k_len"]:
        """How much each token counted to the one that sums up: the last layer, heads alike."""
        last = self.weights(source)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return self.encoder.summarizing(mean, source)


class EncoderTagger(EncoderHead):
    """A label for each token: `softmax(W x_j + b)`."""

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, config.classes)

    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len classes"]:
        """Logits of each token's label, zeros where there is no token."""
        return source.zero_padding(self.output(self.dropout(self.encoder(source))))

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch len len"]:
        """How much each token attended to each: the last layer, the mean over its heads."""
        last = self.weights(source)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return source.zero_padding(mean)


class EncoderSpans(EncoderHead):
    """Where an answer begins and ends: two numbers for each token."""

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, 2)

    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch 2 len"]:
        """Logits of each token's being the first and the last of the answer, zeros elsewhere."""
        ends = source.zero_padding(self.output(self.encoder(source)))
        return rearrange(ends, "batch len two -> batch two len")
