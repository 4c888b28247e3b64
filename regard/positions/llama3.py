"""Rotary positions of Llama 3.1: slow turns are stretched, fast ones are not."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard._numbers import number

HINT = "Llama 3.1 has 8, 8192, 1, 4"


@dataclass(frozen=True)
class Llama3:
    """Frequencies for texts `factor` times as long as those of the training, by their wavelength.

        turns = trained f / (2 pi), the turns that a pair makes within `trained` tokens
        s = clamp((turns - low) / (high - low), 0, 1);   f -> s f + (1 - s) f / factor

    A pair that turns `high` times or more stays as it is, one that turns `low` times or less turns
    `factor` times as slowly. There is no paper's equation for it: it stands in the released code.

    Args:
        trained: tokens of the texts before the stretching.

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
        """By how much turned vectors are longer: not at all."""
        return 1.0

    def __call__(
        self, frequencies: Float[Tensor, " pairs"], base: float
    ) -> Float[Tensor, " pairs"]:
        """The stretched frequencies."""
        turns = self.trained * frequencies / (2.0 * math.pi)
        stays = ((turns - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
        return stays * frequencies + (1.0 - stays) * frequencies / self.factor
