"""ALBERT for text and token classification, question answering and masked language modeling."""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import ACTIVATIONS, Dropout
from regard.models.albert.config import (
    AlbertClassifierConfig,
    AlbertMaskedLMConfig,
    AlbertPretrainingConfig,
    AlbertSpansConfig,
    AlbertTaggerConfig,
)
from regard.models.albert.model import Albert
from regard.models.attention import Attends
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.first_weights import start_normal
from regard.sequences import Packed, Sequences, of_ids


class AlbertClassifier(EncoderClassifier):
    """ALBERT for text classification, from its first token.

    >>> config = AlbertClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2, layers=1)
    >>> AlbertClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type = Albert, AlbertClassifierConfig


class AlbertTagger(EncoderTagger):
    """ALBERT for token classification."""

    encoder_type, config_type = Albert, AlbertTaggerConfig


class AlbertSpans(EncoderSpans):
    """ALBERT for extractive question answering."""

    encoder_type, config_type = Albert, AlbertSpansConfig


class AlbertMaskedLM(nn.Module):
    """ALBERT with a masked-language-modeling head.

        p(token) = softmax(E norm(gelu(W x + b)) + c),  W back to the embedding width

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> config = AlbertMaskedLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=1)
    >>> AlbertMaskedLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    config_type: ClassVar[Any] = AlbertMaskedLMConfig
    summarizes: ClassVar[bool] = False

    def __init__(self, config: AlbertMaskedLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.encoder = Albert(config, attend, summarizes=self.summarizes)
        self.config = self.encoder.config
        self.transform = nn.Linear(config.embed_dim, config.token_dim)
        self.activation = ACTIVATIONS[config.activation]
        self.norm = nn.LayerNorm(config.token_dim, config.norm_eps)
        self.output = nn.Linear(config.token_dim, config.vocab)
        for part in (self.transform, self.output):
            start_normal(part, config.init_std)
        if config.tied:
            self.output.weight = self.encoder.embedding.tokens.weight

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token at each place; zeros at padding."""
        return source.zero_padding(self.output(self.features(source)))

    @of_ids
    def features(self, source: Sequences | Packed) -> Float[Tensor, "batch len token_dim"]:
        """The input of the output layer."""
        return self.norm(self.activation(self.transform(self.encoder(source))))

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every block and head."""
        return self.encoder.weights(source)


class AlbertPretraining(AlbertMaskedLM):
    """ALBERT with its pre-training heads: masked tokens, and the order of two texts (`order`).

    >>> config = AlbertPretrainingConfig(vocab=9, embed_dim=8, num_heads=2, layers=1)
    >>> AlbertPretraining(config).order(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 2])
    """

    config_type: ClassVar[Any] = AlbertPretrainingConfig
    summarizes = True

    def __init__(self, config: AlbertPretrainingConfig, attend: Attends = None) -> None:
        super().__init__(config, attend)
        self.dropout = Dropout(config.output_dropout)
        self.sentence_order = nn.Linear(config.embed_dim, 2)
        start_normal(self.sentence_order, config.init_std)

    @of_ids
    def order(self, source: Sequences | Packed) -> Float[Tensor, "rows 2"]:
        """Logits of two texts being in order, and of their having been swapped."""
        summary = self.encoder.summary(self.encoder(source), source)
        return self.sentence_order(self.dropout(summary))
