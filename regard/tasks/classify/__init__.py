"""Text classification."""

from regard.tasks.classify.predictor import Classifier
from regard.tasks.classify.task import Classify, ClassifySettings

__all__ = ["Classifier", "Classify", "ClassifySettings"]
