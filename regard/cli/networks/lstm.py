"""Recurrent classifiers, whose summary of the states is one setting."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import pooling
from regard.cli.networks.network import AttendingSettings, Network
from regard.models import lstm


@dataclass(frozen=True, kw_only=True)
class LSTMSettings(AttendingSettings):
    """See `regard.models.lstm.LSTMConfig`.

    Args:
        summary: `last`, `mean`, `attention` or `hard`.
        estimator: how hard attention learns, by `reinforce` or `gumbel`.
        cell: `lstm` or `gru`.
        directions: 1 or 2.
        hidden_dim: width of the states, of each direction.
        align_dim: width of the hidden layer of the attention.
        word_dropout: share of the tokens that are read as `<unk>` while training.
    """

    looks = ("summary",)
    words = AttendingSettings.words | {
        "summary": ("last", "mean", "attention", "hard"),
        "estimator": ("reinforce", "gumbel"),
        "cell": ("lstm", "gru"),
    }

    name: str = "lstm"
    score: str = "dot"
    summary: str = "attention"
    estimator: str = "reinforce"
    cell: str = "lstm"
    directions: int = 2
    layers: int = 1
    hidden_dim: int = 64
    align_dim: int = 64
    word_dropout: float = 0.0

    @property
    def attends(self) -> bool:
        return self.summary in ("attention", "hard")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directions > 2:
            raise ValueError(f"directions must be 1 or 2, got {self.directions}")


def classes(settings: Any, vocab: int, classes: int) -> nn.Module:
    """A network that reads a text and chooses a label."""
    model = settings.model
    names = "embed_dim hidden_dim layers align_dim cell directions summary estimator".split()
    sizes = {name: getattr(model, name) for name in [*names, "dropout", "word_dropout"]}
    config = lstm.LSTMConfig(vocab=vocab, classes=classes, **sizes)
    return lstm.LSTM(config, pooling(model.about(), config.align_dim))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named parts."""
    config = lstm.LSTMConfig.from_json((folder / "config.json").read_text("utf-8"))
    return lstm.load(folder, pooling(parts, config.align_dim))


NETWORK = Network(LSTMSettings, {"classify": classes}, load)
