"""Show, Attend and Tell (Xu et al., 2015): image captions, with attention at each word."""

from regard.models.captioner.config import CaptionerConfig, HardAttention, SoftAttention
from regard.models.captioner.model import Captioner

__all__ = ["Captioner", "CaptionerConfig", "HardAttention", "SoftAttention"]
