"""Recurrent text classifiers: by the last state, the mean, attention, or hard attention."""

from regard.models.lstm.config import LSTMConfig
from regard.models.lstm.model import LSTMClassifier

__all__ = ["LSTMClassifier", "LSTMConfig"]
