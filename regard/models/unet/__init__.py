"""The U-Net (Ronneberger et al., 2015), optionally with attention gates (Oktay et al., 2018)."""

from regard.models.unet.config import UNetConfig
from regard.models.unet.model import UNet

__all__ = ["UNet", "UNetConfig"]
