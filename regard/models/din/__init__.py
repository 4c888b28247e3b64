"""DIN (Zhou et al., 2018): attention over a user's history, with the candidate as the query."""

from regard.models.din.config import ActivationUnit, DINConfig
from regard.models.din.model import DIN

__all__ = ["DIN", "ActivationUnit", "DINConfig"]
