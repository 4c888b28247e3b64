"""Dice: a PReLU whose rectification point follows the data."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dice(nn.Module):
    """The data-adaptive activation of DIN.

        f(s) = p(s) s + (1 - p(s)) α s        p(s) = 1 / (1 + exp(-(s - E[s]) / sqrt(Var[s] + ε)))

    Mean and variance are those of the batch in training, their moving averages (0.9 old, 0.1 new)
    otherwise; α is learned per unit. With E = 0 and Var = 0 it approaches PReLU. The authors' code
    takes statistics from a normalization that never updates them, which leaves a Swish with a
    learned slope; this is the paper's equation.

    >>> dice = Dice(4)
    >>> dice(torch.randn(3, 5, 4)).shape
    torch.Size([3, 5, 4])

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, eps: float = 1e-8, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.alpha = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, s: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        mean, variance = self._statistics(s)
        p = torch.sigmoid((s - mean) * torch.rsqrt(variance + self.eps))
        return p * s + (1 - p) * self.alpha * s

    def _statistics(self, s: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training or not s.numel():
            return self.mean, self.variance
        rows = s.flatten(0, -2)
        mean = rows.mean(0)
        variance = (rows - mean).square().mean(0)
        with torch.no_grad():
            self.mean.lerp_(mean.to(self.mean.dtype), self.momentum)
            self.variance.lerp_(variance.to(self.variance.dtype), self.momentum)
        return mean, variance
