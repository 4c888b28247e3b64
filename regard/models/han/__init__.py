"""Hierarchical attention network (Yang et al., 2016): words, sentences, documents."""

from regard.models.han.config import HANConfig
from regard.models.han.model import HAN

__all__ = ["HAN", "HANConfig"]
