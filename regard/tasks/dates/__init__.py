"""Dates in every language to ISO 8601."""

from regard.tasks.dates.metrics import COMMON, by_language
from regard.tasks.dates.predictor import DateReader
from regard.tasks.dates.task import Dates, DatesSettings

__all__ = ["COMMON", "DateReader", "Dates", "DatesSettings", "by_language"]
