"""Span corruption: spans of a text are left out, and written by a network that reads the rest."""

from regard.tasks.span_corruption.corruption import Corruption, corrupted, restored
from regard.tasks.span_corruption.predictor import GapFiller
from regard.tasks.span_corruption.task import SpanCorruption, SpanCorruptionSettings

__all__ = [
    "Corruption",
    "GapFiller",
    "SpanCorruption",
    "SpanCorruptionSettings",
    "corrupted",
    "restored",
]
