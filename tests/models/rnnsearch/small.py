"""A small RNNsearch network and a ragged batch for it."""

from typing import Any

import torch
from torch import Tensor

from regard.models.attention import Attends
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.sequences import Sequences

SIZES: dict[str, Any] = {
    "source_vocab": 30,
    "target_vocab": 7,
    "embed_dim": 6,
    "hidden_dim": 5,
    "maxout_dim": 3,
    "attention": "search(attention_dim=4)",
    "dropout": 0.0,
}
LENGTHS = (6, 1, 4, 5, 2)


def config(**choices: Any) -> RNNsearchConfig:
    """Small sizes; nothing is dropped."""
    return RNNsearchConfig.from_entries(SIZES | choices)


def small_model(attend: Attends = None, **choices: Any) -> RNNsearch:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = RNNsearch(config(**choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Sequences, Tensor]:
    """Sources padded with `filling`, and targets."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, SIZES["source_vocab"], (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    target = torch.randint(0, SIZES["target_vocab"], (len(LENGTHS), 5), generator=rng)
    return Sequences(source, lengths), target
