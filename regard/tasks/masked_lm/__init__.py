"""Masked language modeling."""

from regard.tasks.masked_lm.predictor import GapFiller
from regard.tasks.masked_lm.task import MaskedLM, MaskedLMSettings

__all__ = ["GapFiller", "MaskedLM", "MaskedLMSettings"]
