"""RNNsearch (Bahdanau, Cho & Bengio, 2014)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import NORMALIZERS, SCORES, chosen
from regard.cli.networks.network import AttendingSettings, Network
from regard.models import rnnsearch


@dataclass(frozen=True, kw_only=True)
class RNNsearchSettings(AttendingSettings):
    """See `regard.models.rnnsearch.RNNsearchConfig`.

    Args:
        attention: `search`, or `none` for one vector in its place, that of Cho et al.
        hidden_dim: width of the encoder, of each direction, and of the decoder's state.
        align_dim: width of the hidden layer of the score.
        maxout_dim: width of the deep output.
    """

    looks = ("attention",)
    words = AttendingSettings.words | {"attention": ("search", "none")}

    name: str = "rnnsearch"
    score: str = "additive"
    attention: str = "search"
    hidden_dim: int = 256
    align_dim: int = 128
    maxout_dim: int = 128

    @property
    def attends(self) -> bool:
        return self.attention != "none"


def pairs(settings: Any, source_vocab: int, target_vocab: int) -> nn.Module:
    """A network that reads one language and writes another."""
    model = settings.model
    config = rnnsearch.RNNsearchConfig(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        embed_dim=model.embed_dim,
        hidden_dim=model.hidden_dim,
        state_dim=model.hidden_dim,
        align_dim=model.align_dim,
        maxout_dim=model.maxout_dim,
        dropout=model.dropout,
        attention=model.attention,
    )
    return rnnsearch.RNNsearch(config, **_parts(model.about(), config))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named parts."""
    config = rnnsearch.RNNsearchConfig.from_json((folder / "config.json").read_text("utf-8"))
    return rnnsearch.load(folder, **_parts(parts, config))


def _parts(parts: Mapping[str, Any], config: rnnsearch.RNNsearchConfig) -> dict[str, Any]:
    name = parts.get("score", "additive")
    normalizer = chosen("normalizer", parts.get("normalizer", "softmax"), NORMALIZERS)(1)
    if name == "additive":
        return {"score": None, "normalizer": normalizer}
    made = chosen("score", name, SCORES)(config.state_dim, config.align_dim, config.align_dim)
    return {"score": made, "normalizer": normalizer}


NETWORK = Network(RNNsearchSettings, {"translate": pairs}, load)
