"""Luong, Pham & Manning's network (2015): attention after the decoder's step."""

from regard.models.luong.attention import LuongAttention
from regard.models.luong.config import Global, LocalM, LocalP, LuongConfig
from regard.models.luong.model import Luong

__all__ = ["Global", "LocalM", "LocalP", "Luong", "LuongAttention", "LuongConfig"]
