"""BERT for text and token classification, question answering and masked language modeling."""

from typing import ClassVar

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import ACTIVATIONS
from regard.models.attention import Attends
from regard.models.bert.config import (
    BertClassifierConfig,
    BertMaskedLMConfig,
    BertSpansConfig,
    BertTaggerConfig,
)
from regard.models.bert.model import Bert
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.first_weights import start_normal
from regard.sequences import Packed, Sequences, of_ids


class BertClassifier(EncoderClassifier):
    """BERT for text classification, from its first token.

    >>> config = BertClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2, layers=1)
    >>> BertClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type = Bert, BertClassifierConfig


class BertTagger(EncoderTagger):
    """BERT for token classification."""

    encoder_type, config_type = Bert, BertTaggerConfig


class BertSpans(EncoderSpans):
    """BERT for extractive question answering."""

    encoder_type, config_type = Bert, BertSpansConfig


class BertMaskedLM(nn.Module):
    """BERT with a masked-language-modeling head.

        p(token) = softmax(E norm(gelu(W x + b)) + c)

    With `next_sentence` it also predicts whether the second text follows the first (`follows`), as
    in the paper's pre-training.

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> config = BertMaskedLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=1)
    >>> BertMaskedLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    config_type: ClassVar[type[BertMaskedLMConfig]] = BertMaskedLMConfig

    def __init__(self, config: BertMaskedLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.encoder = Bert(config, attend, summarizes=config.next_sentence)
        self.config = self.encoder.config
        self.transform = nn.Linear(config.embed_dim, config.embed_dim)
        self.activation = ACTIVATIONS[config.activation]
        self.norm = nn.LayerNorm(config.embed_dim, config.norm_eps)
        self.output = nn.Linear(config.embed_dim, config.vocab)
        self.next_sentence = nn.Linear(config.embed_dim, 2) if config.next_sentence else None
        for part in (self.transform, self.output, self.next_sentence):
            if part is not None:
                start_normal(part, config.init_std)
        if config.tied:
            self.output.weight = self.encoder.embedding.tokens.weight

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token at each place; zeros at padding."""
        return source.zero_padding(self.output(self.features(source)))

    @of_ids
    def features(self, source: Sequences | Packed) -> Float[Tensor, "batch len width"]:
        """The input of the output layer."""
        x = self.transform(self.encoder(source))
        return self.norm(self.activation(x))

    @of_ids
    def follows(self, source: Sequences | Packed) -> Float[Tensor, "rows 2"]:
        """Logits of the second text following the first, and of its being from elsewhere.

        Raises `ValueError` for a network without `next_sentence`.
        """
        if self.next_sentence is None:
            raise ValueError("this network was built with next_sentence=False: it cannot say that")
        return self.next_sentence(self.encoder.summary(self.encoder(source), source))

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(source)

    @torch.no_grad()
    @of_ids
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch len len"]:
        """How much each token attended to each: the last layer, averaged over its heads."""
        last = self.weights(source)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return source.zero_padding(mean)
