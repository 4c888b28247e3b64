"""End-to-end memory networks (Sukhbaatar et al., 2015)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import NORMALIZERS, SCORES, chosen
from regard.cli.networks.network import AttendingSettings, Network
from regard.models import memory


@dataclass(frozen=True, kw_only=True)
class MemorySettings(AttendingSettings):
    """See `regard.models.memory.MemoryConfig`.

    Args:
        hops: how often the network looks at the story.
        memory_size: sentences that it remembers, the latest of the story.
        tying: `adjacent` or `layerwise`.
        encoding: of a sentence: `position` or `bag`.
        attention: `soft` or `hard`.
        estimator: how hard attention learns, by `reinforce` or `gumbel`.
        noise: share of empty sentences that are added while training, at most.
        linear_epochs: passes through the data before the hops get their softmax.
    """

    may_be_zero = frozenset({"linear_epochs"})
    looks = ("hops", "attention")
    words = AttendingSettings.words | {
        "tying": ("adjacent", "layerwise"),
        "encoding": ("position", "bag"),
        "attention": ("soft", "hard"),
        "estimator": ("reinforce", "gumbel"),
    }

    name: str = "memory"
    score: str = "dot"
    embed_dim: int = 20
    dropout: float = 0.0
    hops: int = 3
    memory_size: int = 50
    tying: str = "adjacent"
    encoding: str = "position"
    attention: str = "soft"
    estimator: str = "reinforce"
    noise: float = 0.1
    linear_epochs: int = 20


def answers(settings: Any, vocab: int) -> nn.Module:
    """A network that reads a story and answers a question about it."""
    model = settings.model
    names = "embed_dim hops memory_size tying encoding attention estimator noise dropout".split()
    config = memory.MemoryConfig(vocab=vocab, **{name: getattr(model, name) for name in names})
    return memory.MemoryNetwork(config, **_parts(model.about(), config))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named parts."""
    config = memory.MemoryConfig.from_json((folder / "config.json").read_text("utf-8"))
    return memory.load(folder, **_parts(parts, config))


def _parts(parts: Mapping[str, Any], config: memory.MemoryConfig) -> dict[str, Any]:
    width = config.embed_dim
    score = chosen("score", parts.get("score", "dot"), SCORES)(width, width, width)
    normalizer = chosen("normalizer", parts.get("normalizer", "softmax"), NORMALIZERS)(1)
    return {"score": score, "normalizer": normalizer}


NETWORK = Network(MemorySettings, {"answer": answers}, load)
