"""RNNsearch (Bahdanau, Cho & Bengio, 2014): the first network that learned where to look."""

from regard.models.folder import save
from regard.models.rnnsearch.checkpoint import load
from regard.models.rnnsearch.config import RNNsearchConfig
from regard.models.rnnsearch.model import Encoded, RNNsearch
from regard.models.search import Hypothesis, beam, greedy

__all__ = [
    "Encoded",
    "Hypothesis",
    "RNNsearch",
    "RNNsearchConfig",
    "beam",
    "greedy",
    "load",
    "save",
]
