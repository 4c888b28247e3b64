"""ALiBi: attention with linear biases, a penalty that grows with distance."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count, Index


@dataclass(frozen=True)
class ALiBi:
    """Subtract slope times distance: score − m_h · |q − k| with m_h = 2^(−8h/H) for h = 1 … H.

    The paper is causal, where |q − k| = q − k; here keys ahead are penalized like keys behind, so
    add `mask=Causal()` for the paper's form. Where H is not a power of two, the first P heads (P
    the largest power of two below H) have the slopes for P heads and the others every second
    slope for 2P heads, as the authors' code does.

    Raises ValueError for num_heads below 1; `check` raises it when the call's heads differ.

    >>> import torch
    >>> from regard.score_mods import ALiBi
    >>> b, h, q, k = torch.tensor(0), torch.arange(8)[:, None], torch.tensor(3), torch.arange(4)
    >>> ALiBi(8)(torch.zeros(8, 4), b, h, q, k)[0]
    tensor([-1.5000, -1.0000, -0.5000,  0.0000])

    References:
        Press, Smith & Lewis. Train Short, Test Long: Attention with Linear Biases Enables Input
        Length Extrapolation. 2022. https://arxiv.org/abs/2108.12409
    """

    num_heads: Count

    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse numbers of heads that are not counts."""
        num_heads = count("ALiBi", "num_heads", self.num_heads, 1, "give the number of query heads")
        object.__setattr__(self, "num_heads", num_heads)

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Subtract the penalty."""
        # No table of slopes: arithmetic on h needs no tensor on any particular device.
        power = 2 ** (self.num_heads.bit_length() - 1)
        exponent = torch.where(h < power, 2 * (h + 1), 2 * (h - power) + 1)
        exact = torch.promote_types(score.dtype, torch.float32)
        penalty = torch.exp2(-8 * exponent.to(exact) / (2 * power)) * (q - k).abs()
        return (score.to(exact) - penalty).to(score.dtype)

    def check(
        self, query: Shaped[Tensor, "_ heads _ _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless there is a slope for every query head."""
        if query.shape[1] != self.num_heads:
            raise ValueError(
                f"ALiBi has num_heads {self.num_heads} but query has {query.shape[1]} heads; "
                f"use ALiBi({query.shape[1]})."
            )
