"""Deep Interest Network (Zhou et al., 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from regard.cli.networks.network import ModelSettings, Network
from regard.data.encoding.catalogue import Catalogue
from regard.models import din
from regard.tasks.recommender import CATALOGUE, features_of


@dataclass(frozen=True, kw_only=True)
class DINSettings(ModelSettings):
    """See `regard.models.din.DINConfig`; the score and the normalizer are those of the variant.

    Args:
        variant: `paper` or `official`.
        pool: `attention` or `mean`.
        activation: `dice`, `prelu` or `sigmoid`.
        attention_dim: width of the hidden layer of the attention.
        hidden_dim, second_dim: widths of the layers behind it.
        negatives: items offered beside each one that was chosen.
        l2: mini-batch-aware regularisation.
    """

    looks = ("pool", "variant")
    words = {
        "variant": ("paper", "official"),
        "pool": ("attention", "mean"),
        "activation": ("dice", "prelu", "sigmoid"),
    }

    name: str = "din"
    embed_dim: int = 64
    variant: str = "official"
    pool: str = "attention"
    activation: str = "dice"
    attention_dim: int = 80
    hidden_dim: int = 200
    second_dim: int = 80
    negatives: int = 4
    l2: float = 0.0


def clicks(settings: Any, items: int, values: int, features: Tensor | None) -> nn.Module:
    """A network that says how likely a click is."""
    names = "embed_dim attention_dim hidden_dim second_dim variant pool activation".split()
    sizes = {name: getattr(settings.model, name) for name in names}
    return din.DIN(din.DINConfig(items=items, values=values, **sizes), features)


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network, with the features of the items in its folder."""
    return din.load(folder, features_of(Catalogue.load(folder / CATALOGUE)))


NETWORK = Network(DINSettings, {"recommend": clicks}, load)
