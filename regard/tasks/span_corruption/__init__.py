"""Span corruption: a network reconstructs the spans removed from a text."""

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
