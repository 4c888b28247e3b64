"""Multilabel classification."""

from regard.tasks.multilabel.predictor import MultilabelPredictor
from regard.tasks.multilabel.task import Multilabel, MultilabelSettings

__all__ = ["Multilabel", "MultilabelPredictor", "MultilabelSettings"]
