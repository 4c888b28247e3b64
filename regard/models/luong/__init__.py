"""Luong, Pham & Manning's network (2015): attention where the decoder already is."""

from regard.models.folder import save
from regard.models.luong.attention import LuongAttention
from regard.models.luong.checkpoint import load
from regard.models.luong.config import LuongConfig
from regard.models.luong.model import Encoded, Luong

__all__ = [
    "Encoded",
    "Luong",
    "LuongAttention",
    "LuongConfig",
    "load",
    "save",
]
