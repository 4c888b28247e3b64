"""Small recurrent classifiers and a ragged batch for them."""

from typing import Any

import torch

from regard.models.attention import Attends
from regard.models.lstm import LSTMClassifier, LSTMConfig
from regard.sequences import Sequences

SIZES: dict[str, Any] = {
    "vocab": 20,
    "classes": 3,
    "embed_dim": 4,
    "hidden_dim": 5,
    "pooling": "attention(attention_dim=6)",
    "dropout": 0.0,
    "word_dropout": 0.0,
}
LENGTHS = (6, 1, 4, 5, 2)
POOLINGS = ("last", "mean", "attention(attention_dim=6)", "hard(attention_dim=6)")


def config(**choices: Any) -> LSTMConfig:
    """Small sizes; nothing is dropped."""
    return LSTMConfig.from_entries(SIZES | choices)


def small_model(attend: Attends = None, **choices: Any) -> LSTMClassifier:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = LSTMClassifier(config(**choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> Sequences:
    """Texts padded with `filling`."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, SIZES["vocab"], (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    return Sequences(source, lengths)
