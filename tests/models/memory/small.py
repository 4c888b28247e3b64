"""A small memory network and a ragged batch of stories for it."""

from typing import Any

import torch
from torch import Tensor

from regard.models.memory import MemoryConfig, MemoryNetwork

CONFIG: dict[str, Any] = {"vocab": 17, "embed_dim": 6, "hops": 3, "memory_size": 4, "noise": 0.0}
SENTENCES = (6, 1, 0, 4, 3)
"""The first story is longer than the memory, the third is empty."""


def small_model(**changes: Any) -> MemoryNetwork:
    """A model in float64 whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = MemoryNetwork(MemoryConfig(**CONFIG | changes))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Stories with `filling` in the sentences behind them, questions, numbers of sentences."""
    rng = torch.Generator().manual_seed(1)
    batch, sentences, words = len(SENTENCES), max(SENTENCES), 5
    story = torch.randint(4, CONFIG["vocab"], (batch, sentences, words), generator=rng)
    counts = torch.randint(1, words + 1, (batch, sentences, 1), generator=rng)
    story[torch.arange(words).expand_as(story) >= counts] = 0
    lengths = torch.tensor(SENTENCES)
    story[torch.arange(sentences) >= lengths[:, None]] = filling
    question = torch.randint(4, CONFIG["vocab"], (batch, 3), generator=rng)
    question[1, 2:] = 0
    return story, question, lengths
