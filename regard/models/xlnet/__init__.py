"""XLNet (Yang et al., 2019), and its heads."""

from regard.models.xlnet.config import (
    XLNetClassifierConfig,
    XLNetConfig,
    XLNetLMConfig,
    XLNetSpansConfig,
    XLNetTaggerConfig,
    base,
    large,
)
from regard.models.xlnet.heads import XLNetClassifier, XLNetLM, XLNetSpans, XLNetTagger
from regard.models.xlnet.memory import Memory
from regard.models.xlnet.model import Given, Reading, XLNet, in_order
from regard.models.xlnet.visible import before

__all__ = [
    "Given",
    "Memory",
    "Reading",
    "XLNet",
    "XLNetClassifier",
    "XLNetClassifierConfig",
    "XLNetConfig",
    "XLNetLM",
    "XLNetLMConfig",
    "XLNetSpans",
    "XLNetSpansConfig",
    "XLNetTagger",
    "XLNetTaggerConfig",
    "base",
    "before",
    "in_order",
    "large",
]
