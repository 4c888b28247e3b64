"""YaRN: rotary positions for texts longer than those seen in training."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from regard._numbers import number

HINT = "the paper has fast=32, slow=1"


@dataclass(frozen=True)
class YaRN:
    """Frequencies for texts `factor` times as long, scaled by pair index, and longer vectors.

        i(r) = width ln(trained / (2 pi r)) / (2 ln base), the pair that rotates r times
        s_i = clamp((i - i(fast)) / (i(slow) - i(fast)), 0, 1)
        f_i -> (1 - s_i) f_i + s_i f_i / factor
        amplitude = 0.1 ln factor + 1, of queries and keys each

    A pair that rotates `fast` times or more within `trained` tokens is unchanged, one that rotates
    `slow` times or less is slowed by `factor`.

    Args:
        trained: context length, in tokens, before scaling.
        whole: round the ends of the ramp to whole pairs, as in the authors' code.
        amplitude_given: replaces the paper's amplitude; None keeps that.

    Raises `ValueError` for numbers that are not above 0, and for a `fast` that is not above `slow`.

    >>> YaRN(4.0, trained=100)(torch.tensor([1.0, 0.001]), 10000.0)
    tensor([1.0000e+00, 2.5000e-04])

    References:
        Peng, Quesnelle, Fan & Shippole. YaRN: Efficient Context Window Extension of Large Language
        Models. 2024. https://arxiv.org/abs/2309.00071
    """

    factor: float
    trained: int
    fast: float = 32.0
    slow: float = 1.0
    whole: bool = True
    amplitude_given: float | None = None

    def __post_init__(self) -> None:
        for name in ("factor", "trained", "fast", "slow"):
            number(
                "YaRN", name, getattr(self, name), above=0.0, hint="the paper has fast=32, slow=1"
            )
        if self.fast <= self.slow:
            raise ValueError(f"fast must be above slow, got fast={self.fast} and slow={self.slow}")

    @property
    def amplitude(self) -> float:
        """The factor on the length of rotated vectors."""
        return self.amplitude_of(1.0) if self.amplitude_given is None else self.amplitude_given

    def amplitude_of(self, share: float) -> float:
        """The paper's, with its logarithm multiplied by a factor."""
        return 0.1 * share * math.log(self.factor) + 1.0 if self.factor > 1.0 else 1.0

    def __call__(
        self, frequencies: Float[Tensor, " pairs"], base: float
    ) -> Float[Tensor, " pairs"]:
        """The scaled frequencies; raises `ValueError` for a base of 1 or less."""
        if base <= 1.0:
            raise ValueError(f"YaRN counts turns by a base above 1, got {base}")
        width = 2 * len(frequencies)
        first, last = self._pair(self.fast, width, base), self._pair(self.slow, width, base)
        if self.whole:
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, width - 1)
        # Where both are one, what lies behind it is stretched, and nothing else.
        last = last + 0.001 if first == last else last
        pair = torch.arange(len(frequencies), dtype=frequencies.dtype, device=frequencies.device)
        stretched = ((pair - first) / (last - first)).clamp(0.0, 1.0)
        return (1.0 - stretched) * frequencies + stretched * frequencies / self.factor

    def _pair(self, turns: float, width: int, base: float) -> float:
        """The pair that rotates this many times within the training length."""
        return width * math.log(self.trained / (2.0 * math.pi * turns)) / (2.0 * math.log(base))
