"""Soft capping: scores that cannot grow without bound."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from regard._pairwise import Index


@dataclass(frozen=True)
class SoftCap:
    """Squash scores smoothly into (−cap, cap): cap · tanh(score / cap).

    Scores well below the cap hardly change; a score of −inf becomes −cap, which is a weight.

    Raises ValueError for a cap that is not positive and finite.

    >>> import torch
    >>> from regard.score_mods import SoftCap
    >>> at = torch.tensor(0)
    >>> SoftCap(50.0)(torch.tensor([1.0, 50.0, 1000.0]), at, at, at, at)
    tensor([ 0.9999, 38.0797, 50.0000])

    References:
        Gemma Team. Gemma 2: Improving Open Language Models at a Practical Size. 2024.
        https://arxiv.org/abs/2408.00118
    """

    cap: float

    additive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse caps that cap nothing."""
        if not 0 < self.cap < float("inf"):
            raise ValueError(
                f"SoftCap needs 0 < cap < inf, got {self.cap}; Gemma 2 uses 50, or leave it out."
            )

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Squash."""
        return self.cap * torch.tanh(score / self.cap)
