"""Sentence similarity."""

from regard.tasks.similarity.predictor import SimilarityPredictor
from regard.tasks.similarity.task import Similarity, SimilaritySettings

__all__ = ["Similarity", "SimilarityPredictor", "SimilaritySettings"]
