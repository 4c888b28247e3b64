"""Rotary positions of Llama 3.1: low frequencies are scaled down, high ones are not."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard._numbers import number

HINT = "Llama 3.1 has 8, 8192, 1, 4"


@dataclass(frozen=True)
class Llama3:
    """Frequencies for texts `factor` times the training length, scaled by their wavelength.

        turns = trained f / (2 pi), the rotations of a pair within `trained` tokens
        s = clamp((turns - low) / (high - low), 0, 1);   f -> s f + (1 - s) f / factor

    A pair that rotates `high` times or more is unchanged, one that rotates `low` times or less is
    slowed by `factor`. No paper states the equation; it is that of the released code.

    Args:
        trained: context length, in tokens, before scaling.

    Raises `ValueError` for numbers that are not above 0, and for a `high` that is not above `low`.

    >>> import torch
    >>> Llama3(8.0, trained=100)(torch.tensor([1.0, 0.001]), 10000.0)
    tensor([1.0000e+00, 1.2500e-04])

    References:
        Grattafiori et al. The Llama 3 Herd of Models. 2024. https://arxiv.org/abs/2407.21783
    """

    factor: float
    trained: int
    low: float = 1.0
    high: float = 4.0

    def __post_init__(self) -> None:
        for name in ("factor", "trained", "low", "high"):
            number(
                "Llama3", name, getattr(self, name), above=0.0, hint="Llama 3.1 has 8, 8192, 1, 4"
            )
        if self.high <= self.low:
            raise ValueError(f"high must be above low, got high={self.high} and low={self.low}")

    @property
    def amplitude(self) -> float:
        """The factor on the length of rotated vectors: 1."""
        return 1.0

    def __call__(
        self, frequencies: Float[Tensor, " pairs"], base: float
    ) -> Float[Tensor, " pairs"]:
        """The scaled frequencies."""
        turns = self.trained * frequencies / (2.0 * math.pi)
        stays = ((turns - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
        return stays * frequencies + (1.0 - stays) * frequencies / self.factor
