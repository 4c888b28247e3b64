"""Convolutional text classifiers (Kim, 2014), whose summary of their features is one argument."""

from regard.models.cnn.checkpoint import load, save
from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNN

__all__ = ["CNN", "CNNConfig", "load", "save"]
