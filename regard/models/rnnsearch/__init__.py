"""RNNsearch (Bahdanau, Cho & Bengio, 2014): the network that introduced attention."""

from regard.models.rnnsearch.config import RNNsearchConfig, Search
from regard.models.rnnsearch.model import RNNsearch

__all__ = ["RNNsearch", "RNNsearchConfig", "Search"]
