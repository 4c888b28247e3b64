"""BERT (Devlin et al., 2019), and its heads."""

from regard.models.bert.config import (
    BertClassifierConfig,
    BertConfig,
    BertMaskedLMConfig,
    BertSizes,
    BertSpansConfig,
    BertTaggerConfig,
    base,
    large,
    medium,
    mini,
    small,
    tiny,
)
from regard.models.bert.heads import BertClassifier, BertMaskedLM, BertSpans, BertTagger
from regard.models.bert.model import Bert

__all__ = [
    "Bert",
    "BertClassifier",
    "BertClassifierConfig",
    "BertConfig",
    "BertMaskedLM",
    "BertMaskedLMConfig",
    "BertSizes",
    "BertSpans",
    "BertSpansConfig",
    "BertTagger",
    "BertTaggerConfig",
    "base",
    "large",
    "medium",
    "mini",
    "small",
    "tiny",
]
