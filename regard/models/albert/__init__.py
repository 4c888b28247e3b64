"""ALBERT (Lan et al., 2020), and its heads."""

from regard.models.albert.config import (
    AlbertClassifierConfig,
    AlbertConfig,
    AlbertMaskedLMConfig,
    AlbertPretrainingConfig,
    AlbertSizes,
    AlbertSpansConfig,
    AlbertTaggerConfig,
    base,
    base_v1,
    large,
    large_v1,
    xlarge,
    xlarge_v1,
    xxlarge,
    xxlarge_v1,
)
from regard.models.albert.heads import (
    AlbertClassifier,
    AlbertMaskedLM,
    AlbertPretraining,
    AlbertSpans,
    AlbertTagger,
)
from regard.models.albert.model import Albert

__all__ = [
    "Albert",
    "AlbertClassifier",
    "AlbertClassifierConfig",
    "AlbertConfig",
    "AlbertMaskedLM",
    "AlbertMaskedLMConfig",
    "AlbertPretraining",
    "AlbertPretrainingConfig",
    "AlbertSizes",
    "AlbertSpans",
    "AlbertSpansConfig",
    "AlbertTagger",
    "AlbertTaggerConfig",
    "base",
    "base_v1",
    "large",
    "large_v1",
    "xlarge",
    "xlarge_v1",
    "xxlarge",
    "xxlarge_v1",
]
