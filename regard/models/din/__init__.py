"""DIN (Zhou et al., 2018): attention on a user's past, with what is offered as the query."""

from regard.models.din.checkpoint import load
from regard.models.din.config import DINConfig
from regard.models.din.dice import Dice
from regard.models.din.model import DIN
from regard.models.folder import save

__all__ = ["DIN", "DINConfig", "Dice", "load", "save"]
