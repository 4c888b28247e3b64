"""ABCNN (Yin et al., 2016): two sentences through one CNN, each knowing what the other says."""

from regard.models.abcnn.config import ABCNNConfig
from regard.models.abcnn.model import ABCNN

__all__ = ["ABCNN", "ABCNNConfig"]
