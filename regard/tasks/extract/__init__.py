"""Reading: the answer to a question is a span of the passage that it is asked about."""

from regard.tasks.extract.predictor import Extractor
from regard.tasks.extract.task import Extract, ExtractSettings

__all__ = ["Extract", "ExtractSettings", "Extractor"]
