"""DIN (Zhou et al., 2018): attention on a user's past, with what is offered as the query."""

from regard.models.din.config import ActivationUnit, DINConfig
from regard.models.din.model import DIN

__all__ = ["DIN", "ActivationUnit", "DINConfig"]
