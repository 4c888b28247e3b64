"""A small convolutional classifier of each kind and a ragged batch for it."""

from typing import Any

import torch

from regard.models.attention import Attends
from regard.models.cnn import CNNClassifier, CNNConfig
from regard.sequences import Sequences

LENGTHS = (6, 1, 3, 2, 5)
POOLINGS = ("max", "mean", "attention(attention_dim=4)", "guided(hidden_dim=5)")
MAX, _, ATTENTION, GUIDED = POOLINGS


def config(pooling: str, **changes: Any) -> CNNConfig:
    """Small sizes, and filters that are wider than some texts; nothing is dropped."""
    usual = {"vocab": 20, "classes": 3, "embed_dim": 4, "filters": 3, "widths": (2, 3, 4)}
    usual |= {"dropout": 0.0, "word_dropout": 0.0, "pooling": pooling}
    return CNNConfig.from_entries(usual | changes)


def small_model(pooling: str, attend: Attends = None, **changes: Any) -> CNNClassifier:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = CNNClassifier(config(pooling, **changes), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> Sequences:
    """Texts padded with `filling`."""
    rng, lengths = torch.Generator().manual_seed(1), torch.tensor(LENGTHS)
    source = torch.randint(4, 19, (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    return Sequences(source, lengths)
