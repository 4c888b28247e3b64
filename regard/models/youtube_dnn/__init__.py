"""YouTube's candidate generator (Covington et al., 2016): items nearest to a pooled history."""

from regard.models.youtube_dnn.config import QueryPooling, YouTubeDNNConfig
from regard.models.youtube_dnn.model import Retrieved, YouTubeDNN

__all__ = ["QueryPooling", "Retrieved", "YouTubeDNN", "YouTubeDNNConfig"]
