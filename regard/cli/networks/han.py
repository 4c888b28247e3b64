"""The hierarchical attention network, for documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard.cli.names import pooling
from regard.cli.networks.network import AttendingSettings, Network
from regard.models import han


@dataclass(frozen=True, kw_only=True)
class HANSettings(AttendingSettings):
    """See `regard.models.han.HANConfig`; its texts want `tokens.sentences`.

    Args:
        word_summary: what a sentence is made of its words by, `attention` or `mean`.
        sentence_summary: the same of a document and its sentences.
        hidden_dim: width of both encoders, of each direction.
        align_dim: width of the hidden layers of the attention.
        word_dropout: share of the words that are read as `<unk>` while training.
    """

    looks = ("word_summary", "sentence_summary")
    words = AttendingSettings.words | {
        "word_summary": ("attention", "mean"),
        "sentence_summary": ("attention", "mean"),
    }

    name: str = "han"
    score: str = "dot"
    word_summary: str = "attention"
    sentence_summary: str = "attention"
    hidden_dim: int = 50
    align_dim: int = 100
    word_dropout: float = 0.0

    @property
    def attends(self) -> bool:
        return "attention" in (self.word_summary, self.sentence_summary)


def classes(settings: Any, vocab: int, classes: int) -> nn.Module:
    """A network that reads a document and chooses a label."""
    model = settings.model
    config = han.HANConfig(
        vocab=vocab,
        classes=classes,
        embed_dim=model.embed_dim,
        hidden_dim=model.hidden_dim,
        align_dim=model.align_dim,
        words=model.word_summary,
        sentences=model.sentence_summary,
        dropout=model.dropout,
        word_dropout=model.word_dropout,
    )
    return han.HAN(config, pooling(model.about(), config.align_dim))


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """The network with the named parts."""
    config = han.HANConfig.from_json((folder / "config.json").read_text("utf-8"))
    return han.load(folder, pooling(parts, config.align_dim))


NETWORK = Network(HANSettings, {"classify": classes}, load)
