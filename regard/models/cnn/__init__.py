"""Convolutional text classifiers (Kim, 2014), whose pooling of the features is one setting."""

from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNNClassifier

__all__ = ["CNNClassifier", "CNNConfig"]
