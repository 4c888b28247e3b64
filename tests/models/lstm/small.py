"""Small recurrent classifiers and a ragged batch for them."""

from typing import Any

import torch
from torch import Tensor

from regard.layers import Attend
from regard.models.lstm import LSTM, LSTMConfig

SIZES: dict[str, Any] = {
    "vocab": 20,
    "classes": 3,
    "embed_dim": 4,
    "hidden_dim": 5,
    "align_dim": 6,
}
LENGTHS = (6, 1, 4, 5, 2)
SUMMARIES = ("last", "mean", "attention", "hard")


def small_model(attend: Attend | None = None, **choices: Any) -> LSTM:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = LSTM(LSTMConfig(**SIZES | choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor]:
    """Texts padded with `filling`, and their lengths."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, SIZES["vocab"], (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    return source, lengths
