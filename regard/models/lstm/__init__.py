"""Recurrent networks: text classifiers by their pooling, and a tagger."""

from regard.models.lstm.config import LSTMConfig, LSTMTaggerConfig
from regard.models.lstm.model import LSTMClassifier
from regard.models.lstm.tagger import LSTMTagger

__all__ = ["LSTMClassifier", "LSTMConfig", "LSTMTagger", "LSTMTaggerConfig"]
