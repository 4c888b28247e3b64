"""Recommendation: what a user chooses next."""

from regard.tasks.recommend.losses import BinaryCrossEntropy, SampledSoftmax
from regard.tasks.recommend.predictor import Recommender
from regard.tasks.recommend.task import Recommend, RecommendSettings

__all__ = [
    "BinaryCrossEntropy",
    "Recommend",
    "RecommendSettings",
    "Recommender",
    "SampledSoftmax",
]
