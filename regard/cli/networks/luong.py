"""Luong's stacked LSTMs (Luong, Pham & Manning, 2015)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import NORMALIZERS, chosen
from regard.cli.networks.network import AttendingSettings, Network
from regard.models import luong

SCORES = {"dot": "dot", "general": "general", "luong_concat": "concat", "location": "location"}
"""Our names of the scores, and the paper's."""


@dataclass(frozen=True, kw_only=True)
class LuongSettings(AttendingSettings):
    """See `regard.models.luong.LuongConfig`.

    Args:
        attention: `global`, `local_m`, `local_p` or `none`.
        window: keys to each side that local attention sees.
        input_feeding: `on` or `off`.
        variant: `paper`, or the `official` code where it differs.
        hidden_dim: width of every layer.
    """

    parts = ("normalizer",)
    looks = ("attention",)
    words = AttendingSettings.words | {
        "score": SCORES,
        "attention": ("global", "local_m", "local_p", "none"),
        "input_feeding": ("on", "off"),
        "variant": ("paper", "official"),
    }

    name: str = "luong"
    score: str = "general"
    attention: str = "global"
    window: int = 10
    input_feeding: str = "on"
    variant: str = "paper"
    hidden_dim: int = 256
    layers: int = 2

    @property
    def attends(self) -> bool:
        return self.attention != "none"


def pairs(settings: Any, source_vocab: int, target_vocab: int) -> nn.Module:
    """A network that reads one language and writes another."""
    model = settings.model
    names = "embed_dim hidden_dim layers attention window input_feeding variant dropout".split()
    config = luong.LuongConfig(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        score=SCORES[model.score],  # type: ignore[arg-type]
        longest=settings.data.longest if model.score == "location" else None,
        **{name: getattr(model, name) for name in names},
    )
    return luong.Luong(config, chosen("normalizer", model.normalizer, NORMALIZERS)(1))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named normalizer."""
    normalizer = parts.get("normalizer", "softmax")
    return luong.load(folder, chosen("normalizer", normalizer, NORMALIZERS)(1))


NETWORK = Network(LuongSettings, {"translate": pairs}, load)
