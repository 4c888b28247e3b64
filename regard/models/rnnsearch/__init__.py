"""RNNsearch (Bahdanau, Cho & Bengio, 2014): the first network that learned where to look."""

from regard.models.rnnsearch.config import RNNsearchConfig, Search
from regard.models.rnnsearch.model import RNNsearch

__all__ = ["RNNsearch", "RNNsearchConfig", "Search"]
