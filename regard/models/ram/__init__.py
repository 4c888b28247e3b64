"""Recurrent attention (Mnih et al., 2014): a sequence of glimpses of an image."""

from regard.models.ram.config import RAMConfig
from regard.models.ram.glimpse import patches
from regard.models.ram.model import RAM

__all__ = ["RAM", "RAMConfig", "patches"]
