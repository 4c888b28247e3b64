"""LLaMA for language modeling, and for text and token classification."""

from regard.models.body_lm import BodyLM
from regard.models.encoder_heads import EncoderClassifier, EncoderSpans, EncoderTagger
from regard.models.llama.config import (
    LlamaClassifierConfig,
    LlamaLMConfig,
    LlamaSpansConfig,
    LlamaTaggerConfig,
)
from regard.models.llama.model import Llama


class LlamaLM(BodyLM):
    """LLaMA with a language-modeling head: `p(next) = softmax(W x)`, W the embedding's if tied.

    Generated text may be longer than `max_length`: the older half of the text is then dropped.

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> from regard.sequences import Sequences
    >>> config = LlamaLMConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> LlamaLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    body_type, config_type = Llama, LlamaLMConfig


class LlamaClassifier(EncoderClassifier):
    """LLaMA for text classification: `softmax(W x)` of a text's last token.

    >>> from regard.sequences import Sequences
    >>> config = LlamaClassifierConfig(
    ...     vocab=9, classes=3, embed_dim=8, num_heads=2, ff_dim=16, layers=1
    ... )
    >>> LlamaClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])
    """

    encoder_type, config_type, output_bias = Llama, LlamaClassifierConfig, False


class LlamaTagger(EncoderTagger):
    """LLaMA for token classification, with causal attention."""

    encoder_type, config_type = Llama, LlamaTaggerConfig


class LlamaSpans(EncoderSpans):
    """LLaMA for extractive question answering, with causal attention: the question comes first."""

    encoder_type, config_type = Llama, LlamaSpansConfig
