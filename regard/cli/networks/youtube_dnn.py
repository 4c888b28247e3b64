"""YouTube's candidate generator (Covington et al., 2016)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from regard.cli.networks.network import ModelSettings, Network
from regard.data.encoding.catalogue import Catalogue
from regard.models import youtube_dnn
from regard.tasks.recommender import CATALOGUE, features_of


@dataclass(frozen=True, kw_only=True)
class YouTubeDNNSettings(ModelSettings):
    """See `regard.models.youtube_dnn.YouTubeDNNConfig`.

    Args:
        pool: `mean` or `attention`, with a learned query.
        layers: of the tower.
        samples: items drawn for the sampled softmax of one batch.
    """

    looks = ("pool",)
    words = {"pool": ("mean", "attention")}

    name: str = "youtube_dnn"
    embed_dim: int = 64
    pool: str = "mean"
    layers: int = 3
    samples: int = 512


def nearest(settings: Any, items: int, values: int, features: Tensor | None) -> nn.Module:
    """A network that finds the items near a user."""
    names = "embed_dim layers pool samples".split()
    sizes = {name: getattr(settings.model, name) for name in names}
    config = youtube_dnn.YouTubeDNNConfig(items=items, values=values, **sizes)
    return youtube_dnn.YouTubeDNN(config, features)


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network, with the features of the items in its folder."""
    return youtube_dnn.load(folder, features_of(Catalogue.load(folder / CATALOGUE)))


NETWORK = Network(YouTubeDNNSettings, {"recommend": nearest}, load)
