"""LLaMA that continues texts, and with a label for each text or token."""

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
    """Continue a text: `p(next) = softmax(W x)`, with W the embedding's where it is tied.

    What is written may be longer than `max_length`: the older half of the text is then forgotten.

    Args:
        attend: what every attention is made of instead of the parts that the configuration names.

    >>> from regard.sequences import Sequences
    >>> config = LlamaLMConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> LlamaLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    body_type, config_type = Llama, LlamaLMConfig


class LlamaClassifier(EncoderClassifier):
    """LLaMA that answers with one of several labels: `softmax(W x)` of a text's last token.

    >>> from regard.sequences import Sequences
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
