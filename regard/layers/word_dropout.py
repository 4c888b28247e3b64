"""Word dropout: replace some words by the unknown token while training."""

import torch
from jaxtyping import Int
from torch import Tensor, nn


class WordDropout(nn.Module):
    """Replace tokens by `<unk>` at random while training, so that no single word decides.

    Args:
        probability: probability that a token is replaced.
        unknown: the id of `<unk>`.

    Raises `ValueError` unless the probability is at least 0 and below 1.

    >>> WordDropout(0.5, unknown=1).eval()(torch.tensor([[4, 5]]))
    tensor([[4, 5]])

    References:
        Iyyer, Manjunatha, Boyd-Graber & Daumé III. Deep Unordered Composition Rivals Syntactic
        Methods for Text Classification. 2015. https://aclanthology.org/P15-1162
    """

    def __init__(self, probability: float, unknown: int) -> None:
        super().__init__()
        if not 0.0 <= probability < 1.0:
            raise ValueError(f"probability must be at least 0 and below 1, got {probability}")
        self.probability, self.unknown = probability, unknown

    def forward(self, tokens: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        if not self.training or not self.probability:
            return tokens
        lost = torch.rand(tokens.shape, device=tokens.device) < self.probability
        return tokens.masked_fill(lost, self.unknown)

    def extra_repr(self) -> str:
        return f"{self.probability}, unknown={self.unknown}"
