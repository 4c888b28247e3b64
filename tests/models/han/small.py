"""Small hierarchical attention networks, and a ragged batch of documents for them."""

from typing import Any

import torch
from torch import Tensor

from regard.layers import Attend
from regard.models.han import HAN, HANConfig

SIZES: dict[str, Any] = {
    "vocab": 20,
    "classes": 3,
    "embed_dim": 4,
    "hidden_dim": 3,
    "align_dim": 5,
}
DOCUMENTS = (
    (4, 8, 5, 3, 6, 3, 9, 1, 7, 7, 11, 3),
    (12, 3),
    (3, 5, 14, 3, 3, 13, 6),
    (7, 8, 9, 10),
    (3, 19, 18, 17, 16, 15, 4, 3, 5),
)
"""Sentences end with 3; some have no word, some documents no end."""


def small_model(attend: Attend | None = None, **choices: Any) -> HAN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = HAN(HANConfig(**SIZES | choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def batch(filling: int = 0, rows: tuple[tuple[int, ...], ...] = DOCUMENTS) -> tuple[Tensor, Tensor]:
    """Documents padded with `filling`, and their lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.full((len(rows), int(lengths.max())), filling)
    for number, row in enumerate(rows):
        source[number, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return source, lengths
