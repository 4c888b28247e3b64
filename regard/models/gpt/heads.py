"""GPT that continues texts, and with a label for each text or token."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from einops import reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Past, Windowed, WindowKVCache
from regard.models.attention import Attends
from regard.models.continuing import Continuing, NewCache, texts
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.first_weights import start_normal
from regard.models.gpt.config import (
    GptClassifierConfig,
    GptLMConfig,
    GptSpansConfig,
    GptTaggerConfig,
)
from regard.models.gpt.model import Gpt
from regard.sequences import Packed, Sequences


class GptLM(Continuing):
    """GPT that says which token comes next: `p(next) = softmax(W x)`.

    Args:
        attend: what every attention is made of instead of the parts that the configuration names.

    >>> config = GptLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=2, max_length=5)
    >>> GptLM(config)(torch.tensor([[4, 8, 5], [6, 1, 2]])).shape
    torch.Size([2, 3, 9])

    References:
        Radford, Wu, Child, Luan, Amodei & Sutskever. Language Models are Unsupervised Multitask
        Learners. 2019.
        https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    """

    config_type: ClassVar[type[GptLMConfig]] = GptLMConfig

    def __init__(self, config: GptLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.body = Gpt(config, attend)
        self.config = self.body.config
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        start_normal(self.output, config.init_std)
        if config.tied:
            self.output.weight = self.body.embedding.tokens.weight

    def forward(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each; zeros where there is none."""
        return self.output(self.features(tokens))

    def features(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        return self.body(tokens)

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """What the output layer reads for tokens behind what the caches hold."""
        return self.body.after(tokens, caches, positions)

    @property
    def decoder(self) -> Any:
        """The layers, each of which has a cache."""
        return self.body.decoder

    @property
    def longest(self) -> int:
        """The number of tokens that have a position."""
        return int(self.config.max_length)

    def new_caches(
        self, starts: Int[Tensor, " rows"] | None = None, cache: NewCache | None = None
    ) -> tuple[Past, ...]:
        """An empty cache for each layer; one that sees a band keeps no more than that."""
        made = super().new_caches(starts, cache)
        if cache is not None:
            return made
        return tuple(
            WindowKVCache(block.window, starts) if isinstance(block, Windowed) else each
            for block, each in zip(self.decoder, made, strict=True)
        )

    @torch.no_grad()
    def attention_weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences
    ) -> Float[Tensor, "batch q_len q_len"]:
        """How much each token attended to each: the last layer's mean over its heads."""
        last = self.weights(tokens)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return texts(tokens).zero_padding(mean)

    def weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.body.weights(tokens)


class GptClassifier(EncoderClassifier):
    """GPT that answers with one of several labels: `softmax(W x)` of a text's last token.

    >>> config = GptClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2, layers=1)
    >>> GptClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type, output_bias = Gpt, GptClassifierConfig, False


class GptTagger(EncoderTagger):
    """GPT that answers with a label for each token, knowing those before it."""

    encoder_type, config_type = Gpt, GptTaggerConfig


class GptSpans(EncoderSpans):
    """GPT that finds an answer: what stands before a token, the question too, decides."""

    encoder_type, config_type = Gpt, GptSpansConfig
