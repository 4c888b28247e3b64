"""The vision transformer (Dosovitskiy et al., 2021), and its classification head."""

from regard.models.vit.config import (
    ViTClassifierConfig,
    ViTConfig,
    base,
    huge,
    large,
    small,
    tiny,
)
from regard.models.vit.model import ViT, ViTClassifier

__all__ = [
    "ViT",
    "ViTClassifier",
    "ViTClassifierConfig",
    "ViTConfig",
    "base",
    "huge",
    "large",
    "small",
    "tiny",
]
