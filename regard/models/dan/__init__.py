"""The deep averaging network (Iyyer et al., 2015)."""

from regard.models.dan.config import DANConfig
from regard.models.dan.model import DAN

__all__ = ["DAN", "DANConfig"]
