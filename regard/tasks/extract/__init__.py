"""Extractive question answering: the answer is a span of the passage."""

from regard.tasks.extract.predictor import Extractor
from regard.tasks.extract.task import Extract, ExtractSettings

__all__ = ["Extract", "ExtractSettings", "Extractor"]
