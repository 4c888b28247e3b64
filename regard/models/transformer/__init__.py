"""The Transformer (Vaswani et al., 2017): encoder–decoder, encoder alone, decoder alone."""

from regard.models.transformer.classifier import TransformerClassifier
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLMConfig,
    base,
    big,
)
from regard.models.transformer.language_model import TransformerLM
from regard.models.transformer.model import Transformer

__all__ = [
    "Transformer",
    "TransformerClassifier",
    "TransformerClassifierConfig",
    "TransformerConfig",
    "TransformerLM",
    "TransformerLMConfig",
    "base",
    "big",
]
