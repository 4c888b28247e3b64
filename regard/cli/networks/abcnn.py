"""ABCNN (Yin, Schütze, Xiang & Zhou, 2016), for pairs of sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.networks.network import ModelSettings, Network
from regard.models import abcnn


@dataclass(frozen=True, kw_only=True)
class ABCNNSettings(ModelSettings):
    """See `regard.models.abcnn.ABCNNConfig`.

    Args:
        attention: `none`, at the `input`, in the `pooling`, or `both`.
        similarity: `cosine`, `distance` or `both`.
        variant: `paper` or `official`.
        hidden_dim: number of filters of a layer.
        layers: number of convolutions one after the other.
        width: of the filters.
    """

    looks = ("attention", "similarity")
    words = {
        "attention": ("none", "input", "pooling", "both"),
        "similarity": ("cosine", "distance", "both"),
        "variant": ("paper", "official"),
    }

    name: str = "abcnn"
    attention: str = "both"
    similarity: str = "both"
    variant: str = "paper"
    embed_dim: int = 32
    hidden_dim: int = 64
    layers: int = 1
    width: int = 4
    dropout: float = 0.0


def pairs(settings: Any, vocab: int, classes: int) -> nn.Module:
    """A network that reads two sentences and chooses a label."""
    model = settings.model
    names = "embed_dim hidden_dim layers width attention similarity variant dropout".split()
    sizes = {name: getattr(model, name) for name in names}
    longest = settings.data.longest
    return abcnn.ABCNN(abcnn.ABCNNConfig(vocab=vocab, classes=classes, max_length=longest, **sizes))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network; it has no parts."""
    return abcnn.load(folder)


NETWORK = Network(ABCNNSettings, {"match": pairs}, load)
