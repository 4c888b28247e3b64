"""GPT for language modeling, and for text and token classification."""

from jaxtyping import Int
from torch import Tensor

from regard.layers import Past, Windowed, WindowKVCache
from regard.models.body_lm import BodyLM
from regard.models.continuing import NewCache
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.gpt.config import (
    GptClassifierConfig,
    GptLMConfig,
    GptSpansConfig,
    GptTaggerConfig,
)
from regard.models.gpt.model import Gpt


class GptLM(BodyLM):
    """GPT with a language-modeling head: `p(next) = softmax(W x)`.

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> import torch
    >>> config = GptLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=2, max_length=5)
    >>> GptLM(config)(torch.tensor([[4, 8, 5], [6, 1, 2]])).shape
    torch.Size([2, 3, 9])

    References:
        Radford, Wu, Child, Luan, Amodei & Sutskever. Language Models are Unsupervised Multitask
        Learners. 2019.
        https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    """

    body_type, config_type = Gpt, GptLMConfig

    def new_caches(
        self, starts: Int[Tensor, " rows"] | None = None, cache: NewCache | None = None
    ) -> tuple[Past, ...]:
        """An empty cache for each layer; a banded layer caches only its band."""
        made = super().new_caches(starts, cache)
        if cache is not None:
            return made
        return tuple(
            WindowKVCache(block.window, starts) if isinstance(block, Windowed) else each
            for block, each in zip(self.decoder, made, strict=True)
        )


class GptClassifier(EncoderClassifier):
    """GPT for text classification: `softmax(W x)` of a text's last token.

    >>> from regard.sequences import Sequences
    >>> config = GptClassifierConfig(vocab=9, classes=3, embed_dim=8, num_heads=2, layers=1)
    >>> GptClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type, output_bias = Gpt, GptClassifierConfig, False


class GptTagger(EncoderTagger):
    """GPT for token classification, with causal attention."""

    encoder_type, config_type = Gpt, GptTaggerConfig


class GptSpans(EncoderSpans):
    """GPT for extractive question answering, with causal attention: the question comes first."""

    encoder_type, config_type = Gpt, GptSpansConfig
