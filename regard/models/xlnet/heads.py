"""XLNet for text and token classification, question answering and language modeling."""

from typing import ClassVar

import torch
from einops import reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.models.attention import Attends
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.first_weights import start_normal
from regard.models.xlnet.config import (
    XLNetClassifierConfig,
    XLNetLMConfig,
    XLNetSpansConfig,
    XLNetTaggerConfig,
)
from regard.models.xlnet.model import NOTHING, Given, Reading, XLNet, in_order
from regard.sequences import Packed, Sequences, of_ids


class XLNetClassifier(EncoderClassifier):
    """XLNet for text classification, from its last token.

    >>> config = XLNetClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2, layers=1)
    >>> XLNetClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type = XLNet, XLNetClassifierConfig


class XLNetTagger(EncoderTagger):
    """XLNet for token classification."""

    encoder_type, config_type = XLNet, XLNetTaggerConfig


class XLNetSpans(EncoderSpans):
    """XLNet for extractive question answering."""

    encoder_type, config_type = XLNet, XLNetSpansConfig


class XLNetLM(nn.Module):
    """XLNet with a language-modeling head.

        p(token) = softmax(E g + c)

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> config = XLNetLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=1)
    >>> asked = Given(places=torch.tensor([[2], [0]]))
    >>> XLNetLM(config).answers(Sequences.of([[4, 8, 5], [6]]), asked).shape
    torch.Size([2, 1, 9])
    """

    config_type: ClassVar[type[XLNetLMConfig]] = XLNetLMConfig

    def __init__(self, config: XLNetLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.encoder = XLNet(config, attend)
        self.config = self.encoder.config
        self.output = nn.Linear(config.embed_dim, config.vocab)
        start_normal(self.output, config.init_std)
        if config.tied:
            self.output.weight = self.encoder.tokens.weight

    @of_ids
    def forward(
        self, source: Sequences | Packed, order: Int[Tensor, "batch len"] | None = None
    ) -> Float[Tensor, "batch targets vocab"]:
        """Logits of the tokens with an index in a factorization order, by index.

        Without an order, those of each token from its content stream, which sees it, as the
        published network does without queries; zeros at padding.
        """
        logits = self.output(self.features(source, order))
        return source.zero_padding(logits) if order is None else logits

    @of_ids
    def features(
        self, source: Sequences | Packed, order: Int[Tensor, "batch len"] | None = None
    ) -> Float[Tensor, "batch targets width"]:
        """The input of the output layer."""
        if order is None:
            return self.encoder(source)
        return self.read(source, in_order(order)).states

    @of_ids
    def answers(
        self, source: Sequences | Packed, given: Given
    ) -> Float[Tensor, "batch targets vocab"]:
        """Logits of the token at each given position, which the query there has not seen."""
        return self.output(self.read(source, given).states)

    @torch.no_grad()
    @of_ids
    def attention_weights(
        self, source: Sequences, order: Int[Tensor, "batch len"] | None = None
    ) -> Float[Tensor, "batch targets len"]:
        """How much each target, or each token, attended to each: the last layer's mean."""
        given = NOTHING if order is None else in_order(order)
        last = self.weights(source, given)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return source.zero_padding(mean) if order is None else mean

    @of_ids
    def read(self, source: Sequences | Packed, given: Given = NOTHING) -> Reading:
        """The same, and the memory for the next segment."""
        return self.encoder.read(source, given)

    @of_ids
    def weights(
        self, source: Sequences | Packed, given: Given = NOTHING
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the queries if positions are given, else of the tokens."""
        return self.encoder.weights(source, given)
