"""The Transformer (Vaswani et al., 2017): encoder–decoder, classifier, tagger, language model."""

from regard.models.transformer.classifier import TransformerClassifier
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLMConfig,
    TransformerTaggerConfig,
    base,
    big,
)
from regard.models.transformer.language_model import TransformerLM
from regard.models.transformer.model import Transformer
from regard.models.transformer.tagger import TransformerTagger

__all__ = [
    "Transformer",
    "TransformerClassifier",
    "TransformerClassifierConfig",
    "TransformerConfig",
    "TransformerLM",
    "TransformerLMConfig",
    "TransformerTagger",
    "TransformerTaggerConfig",
    "base",
    "big",
]
