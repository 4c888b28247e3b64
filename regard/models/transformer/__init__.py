"""The Transformer (Vaswani et al., 2017): encoder–decoder, encoder alone, decoder alone."""

from regard.models.folder import save
from regard.models.transformer.checkpoint import load
from regard.models.transformer.classifier import TransformerClassifier
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLMConfig,
    base,
    big,
)
from regard.models.transformer.language_model import Prompt, TransformerLM
from regard.models.transformer.model import Encoded, Transformer

__all__ = [
    "Encoded",
    "Prompt",
    "Transformer",
    "TransformerClassifier",
    "TransformerClassifierConfig",
    "TransformerConfig",
    "TransformerLM",
    "TransformerLMConfig",
    "base",
    "big",
    "load",
    "save",
]
