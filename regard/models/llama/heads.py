"""LLaMA that continues texts, and with a label for each text or token."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from einops import reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Past
from regard.models.attention import Attends
from regard.models.continuing import Continuing, texts
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.first_weights import start_normal
from regard.models.llama.config import (
    LlamaClassifierConfig,
    LlamaLMConfig,
    LlamaSpansConfig,
    LlamaTaggerConfig,
)
from regard.models.llama.model import Llama
from regard.sequences import Packed, Sequences


class LlamaLM(Continuing):
    """Continue a text: `p(next) = softmax(W x)`, with W the embedding's where it is tied.

    What is written may be longer than `max_length`: the older half of the text is then forgotten.

    Args:
        attend: what every attention is made of instead of the parts that the configuration names.

    >>> config = LlamaLMConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> LlamaLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    config_type: ClassVar[type[LlamaLMConfig]] = LlamaLMConfig

    def __init__(self, config: LlamaLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.body = Llama(config, attend)
        self.config = self.body.config
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        start_normal(self.output, config.init_std)
        if config.tied:
            self.output.weight = self.body.embedding.tokens.weight

    def forward(
        self, tokens: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token after each; zeros where there is none."""
        return texts(tokens).zero_padding(self.output(self.features(tokens)))

    def features(
        self, tokens: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "batch len width"]:
        """What the output layer reads."""
        return self.body(tokens)

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """What the output layer reads for tokens behind what the caches hold."""
        return self.body.after(tokens, caches)

    @property
    def decoder(self) -> Any:
        """The layers, each of which has a cache."""
        return self.body.decoder

    @property
    def longest(self) -> int:
        """The greatest number of tokens that are attended to."""
        return int(self.config.max_length)

    @torch.no_grad()
    def attention_weights(
        self, tokens: Int[Tensor, "batch len"] | Sequences
    ) -> Float[Tensor, "batch len len"]:
        """How much each token attended to each: the last layer's mean over its heads."""
        mean = reduce(
            self.weights(tokens)[-1], "batch heads q_len k_len -> batch q_len k_len", "mean"
        )
        return texts(tokens).zero_padding(mean)

    def weights(
        self, tokens: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.body.weights(tokens)


class LlamaClassifier(EncoderClassifier):
    """LLaMA that answers with one of several labels: `softmax(W x)` of a text's last token.

    >>> config = LlamaClassifierConfig(
    ...     vocab=9, classes=3, embed_dim=8, num_heads=2, ff_dim=16, layers=1
    ... )
    >>> LlamaClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type, output_bias = Llama, LlamaClassifierConfig, False


class LlamaTagger(EncoderTagger):
    """LLaMA that answers with a label for each token, knowing those before it."""

    encoder_type, config_type = Llama, LlamaTaggerConfig


class LlamaSpans(EncoderSpans):
    """LLaMA that finds an answer: what stands before a token, the question too, decides."""

    encoder_type, config_type = Llama, LlamaSpansConfig
