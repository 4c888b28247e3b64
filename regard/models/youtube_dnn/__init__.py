"""YouTube's candidate generator (Covington et al., 2016): the nearest items to a pooled past."""

from regard.models.folder import save
from regard.models.youtube_dnn.checkpoint import load
from regard.models.youtube_dnn.config import YouTubeDNNConfig
from regard.models.youtube_dnn.model import Retrieved, YouTubeDNN
from regard.models.youtube_dnn.sampled_softmax import log_uniform, sampled_nats

__all__ = [
    "Retrieved",
    "YouTubeDNN",
    "YouTubeDNNConfig",
    "load",
    "log_uniform",
    "sampled_nats",
    "save",
]
