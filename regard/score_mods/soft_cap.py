"""Soft capping: scores that cannot grow without bound."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Index, Number, Valued


@dataclass(frozen=True, eq=False, repr=False)
class SoftCap(Valued):
    """Squash scores smoothly into (−cap, cap): cap · tanh(score / cap).

    Scores well below the cap hardly change; a score of −inf becomes −cap, which is a weight.

    Args:
        cap: a number, or a one-element tensor that may be learned; a tensor's value is not
            checked, so keep a learned one positive.

    Raises ValueError for a cap that is not positive and finite, or not one number.

    >>> import torch
    >>> from regard.score_mods import SoftCap
    >>> at = torch.tensor(0)
    >>> SoftCap(50.0)(torch.tensor([1.0, 50.0, 1000.0]), at, at, at, at)
    tensor([ 0.9999, 38.0797, 50.0000])

    References:
        Gemma Team. Gemma 2: Improving Open Language Models at a Practical Size. 2024.
        https://arxiv.org/abs/2408.00118
    """

    cap: Number

    additive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse caps that cap nothing."""
        cap = number("SoftCap", "cap", self.cap, 0.0, "Gemma 2 uses 50; leave it out for no cap")
        object.__setattr__(self, "cap", cap)

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Squash."""
        exact = score.to(torch.promote_types(score.dtype, torch.float32))
        cap = scalar(self.cap, exact)
        return (cap * torch.tanh(exact / cap)).to(score.dtype)
