"""YouTube's candidate generator (Covington et al., 2016): the nearest items to a pooled past."""

from regard.models.youtube_dnn.config import QueryPooling, YouTubeDNNConfig
from regard.models.youtube_dnn.model import Retrieved, YouTubeDNN

__all__ = ["QueryPooling", "Retrieved", "YouTubeDNN", "YouTubeDNNConfig"]
