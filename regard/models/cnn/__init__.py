"""Convolutional text classifiers (Kim, 2014) with configurable pooling."""

from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNNClassifier

__all__ = ["CNNClassifier", "CNNConfig"]
