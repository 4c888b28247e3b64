"""Convolutional text classifiers (Kim, 2014), whose summary of their features is one argument."""

from regard.models.cnn.checkpoint import load
from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNN
from regard.models.folder import save

__all__ = ["CNN", "CNNConfig", "load", "save"]
