"""A small convolutional classifier of each kind and a ragged batch for it."""

from typing import Any

import torch
from torch import Tensor

from regard.models.cnn import CNN, CNNConfig

LENGTHS = (6, 1, 3, 2, 5)
SUMMARIES = ("max", "mean", "attention", "guided")


def config(summary: str, **changes: Any) -> CNNConfig:
    """Small sizes, and filters that are wider than some texts."""
    usual = {"vocab": 20, "classes": 3, "embed_dim": 4, "filters": 3, "narrowest": 2, "widest": 4}
    usual |= {"align_dim": 4, "hidden_dim": 5}
    return CNNConfig(**usual | {"summary": summary} | changes)


def small_model(summary: str, **changes: Any) -> CNN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = CNN(config(summary, **changes))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor]:
    """Texts padded with `filling`, and their lengths."""
    rng, lengths = torch.Generator().manual_seed(1), torch.tensor(LENGTHS)
    source = torch.randint(4, 19, (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    return source, lengths
