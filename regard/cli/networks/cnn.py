"""Convolutional classifiers, whose summary of the features is one setting."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import pooling
from regard.cli.networks.network import AttendingSettings, Network
from regard.layers import Attend
from regard.models import cnn
from regard.scores import Bilinear


@dataclass(frozen=True, kw_only=True)
class CNNSettings(AttendingSettings):
    """See `regard.models.cnn.CNNConfig`.

    Args:
        score: of `attention`; the `guided` one asks by a bilinear form.
        summary: `max`, `mean`, `attention` or `guided`.
        filters: number of filters of each width.
        narrowest, widest: how many tokens the filters see.
        align_dim: width of the hidden layer of the attention.
        hidden_dim: width of the LSTM that guides.
        word_dropout: share of the tokens that are read as `<unk>` while training.
    """

    looks = ("summary",)
    words = AttendingSettings.words | {"summary": ("max", "mean", "attention", "guided")}

    name: str = "cnn"
    score: str = "dot"
    summary: str = "max"
    filters: int = 100
    narrowest: int = 3
    widest: int = 5
    align_dim: int = 64
    hidden_dim: int = 64
    word_dropout: float = 0.0

    @property
    def attends(self) -> bool:
        return self.summary == "attention"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.narrowest > self.widest:
            raise ValueError(
                f"narrowest is {self.narrowest} and widest {self.widest}; exchange them"
            )


def classes(settings: Any, vocab: int, classes: int) -> nn.Module:
    """A network that reads a text and chooses a label."""
    model = settings.model
    names = "embed_dim filters narrowest widest summary align_dim hidden_dim dropout".split()
    sizes = {name: getattr(model, name) for name in [*names, "word_dropout"]}
    config = cnn.CNNConfig(vocab=vocab, classes=classes, **sizes)
    return cnn.CNN(config, _attend(model.about(), config))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named parts."""
    config = cnn.CNNConfig.from_json((folder / "config.json").read_text("utf-8"))
    return cnn.load(folder, _attend(parts, config))


def _attend(parts: Mapping[str, Any], config: cnn.CNNConfig) -> Attend | None:
    if config.summary not in ("attention", "guided"):
        return None
    made = pooling(parts, config.align_dim)
    if config.summary == "guided":
        width = len(config.widths) * config.filters
        made = Attend(Bilinear(config.hidden_dim, width), normalizer=made.normalizer)
    return made


NETWORK = Network(CNNSettings, {"classify": classes}, load)
