"""Small hierarchical attention networks, and a ragged batch of documents for them."""

from typing import Any

import torch

from regard.models.attention import Attends
from regard.models.han import HAN, HANConfig
from regard.sequences import Sequences

SIZES: dict[str, Any] = {
    "vocab": 20,
    "classes": 3,
    "embed_dim": 4,
    "hidden_dim": 3,
    "word_pooling": "attention(attention_dim=5)",
    "sentence_pooling": "attention(attention_dim=5)",
    "dropout": 0.0,
    "word_dropout": 0.0,
}
POOLINGS: list[dict[str, str]] = [
    {},
    {"word_pooling": "mean"},
    {"sentence_pooling": "mean"},
    {"word_pooling": "mean", "sentence_pooling": "mean"},
]
DOCUMENTS = (
    (4, 8, 5, 3, 6, 3, 9, 1, 7, 7, 11, 3),
    (12, 3),
    (3, 5, 14, 3, 3, 13, 6),
    (7, 8, 9, 10),
    (3, 19, 18, 17, 16, 15, 4, 3, 5),
)
"""Sentences end with 3; some have no word, some documents no end."""


def config(**choices: Any) -> HANConfig:
    """Small sizes; nothing is dropped."""
    return HANConfig.from_entries(SIZES | choices)


def small_model(attend: Attends = None, **choices: Any) -> HAN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = HAN(config(**choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def batch(filling: int = 0, rows: tuple[tuple[int, ...], ...] = DOCUMENTS) -> Sequences:
    """Documents padded with `filling`."""
    return Sequences.of(rows, pad=filling)
