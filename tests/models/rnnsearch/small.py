"""A small RNNsearch network and a ragged batch for it."""

from dataclasses import replace

import torch
from torch import Tensor

from regard.models.rnnsearch import RNNsearch, RNNsearchConfig

BEGIN, END = 2, 3
CONFIG = RNNsearchConfig(
    source_vocab=30,
    target_vocab=7,
    embed_dim=6,
    hidden_dim=5,
    state_dim=8,
    align_dim=4,
    maxout_dim=3,
)
LENGTHS = (6, 1, 4, 5, 2)


BLIND = replace(CONFIG, attention="none")


def small_model(config: RNNsearchConfig = CONFIG, **parts: object) -> RNNsearch:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = RNNsearch(config, **parts)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Sources padded with `filling`, their lengths, and targets."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, CONFIG.source_vocab, (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    target = torch.randint(0, CONFIG.target_vocab, (len(LENGTHS), 5), generator=rng)
    return source, lengths, target
