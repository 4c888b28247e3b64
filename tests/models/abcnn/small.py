"""A small ABCNN of each kind and a ragged batch of pairs for it."""

from typing import Any

import torch

from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.sequences import Sequences

LEFT, RIGHT = (6, 1, 4, 2, 5), (3, 1, 5, 4, 2)
KINDS = ("none", "input", "pooling", "both")


def config(attention: str, **changes: Any) -> ABCNNConfig:
    """Small sizes, both similarities and filters that are wider than some sentences."""
    usual = {"vocab": 20, "classes": 3, "embed_dim": 5, "hidden_dim": 4, "layers": 2, "width": 3}
    usual |= {"max_length": 7, "similarity": "both"}
    return ABCNNConfig(**usual | {"attention": attention} | changes)


def small_model(attention: str = "both", **changes: Any) -> ABCNN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = ABCNN(config(attention, **changes))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
    return model.double().eval()


def ragged_pairs(filling: int = 0) -> tuple[Sequences, Sequences]:
    """Left and right sentences padded with `filling`, some words in both."""
    rng = torch.Generator().manual_seed(1)
    sides = []
    for each in (LEFT, RIGHT):
        tokens = torch.randint(4, 12, (len(each), max(each)), generator=rng)
        lengths = torch.tensor(each)
        tokens[torch.arange(max(each)) >= lengths[:, None]] = filling
        sides.append(Sequences(tokens, lengths))
    return sides[0], sides[1]
