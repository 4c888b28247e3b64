"""A differentiable sample."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Count, Number, Valued
from regard.normalizers._closed import at_least_float32, in_dtype_of, without_garbage
from regard.normalizers._gumbel import gumbel
from regard.normalizers._seeded import Seeded
from regard.normalizers.hard import Hard
from regard.normalizers.softmax import softmax


@dataclass(frozen=True, eq=False, repr=False)
class GumbelSoftmax(Seeded, Valued):
    """Softmax of scores with Gumbel noise: a sample from softmax(scores), smoothed by `tau`.

        weights = softmax((scores + noise) / tau)      noise = -log(-log(uniform(0, 1)))

    As `tau` goes to 0, the weights become a one-hot sample. With `hard` they are one-hot in the
    forward pass and keep this gradient (straight-through). `seed` is as in `Sample`. `tau` may be
    a learned scalar, an `nn.Parameter` with one element; its value is not checked, so keep it
    positive. Raises ValueError when `tau` is not positive and finite, TypeError when it is not a
    number.

    Example:
        >>> import torch
        >>> weights = GumbelSoftmax(tau=0.5, seed=0)(torch.zeros(1, 3))
        >>> torch.allclose(weights.sum(), torch.tensor(1.0))
        True

    References:
        Eric Jang, Shixiang Gu, Ben Poole. Categorical Reparameterization with Gumbel-Softmax.
        2016. https://arxiv.org/abs/1611.01144
        Chris Maddison, Andriy Mnih, Yee Whye Teh. The Concrete Distribution: A Continuous
        Relaxation of Discrete Random Variables. 2016. https://arxiv.org/abs/1611.00712
    """

    tau: Number = 1.0
    hard: bool = False
    seed: Count | None = None

    def __post_init__(self) -> None:
        hint = "pass normalizer=Sample() for the limit of tau 0"
        tau = number("GumbelSoftmax", "tau", self.tau, above=0.0, hint=hint)
        object.__setattr__(self, "tau", tau)
        self._check_seed()

    def _draw(self, heads: Any, rows: Any, scores: Tensor, where: Tensor | None = None) -> Tensor:
        noisy = at_least_float32(scores)
        if isinstance(self.tau, Tensor):
            noisy, where = without_garbage(noisy, where)
        noisy = (noisy + gumbel(noisy, self.seed, heads, rows)) / scalar(self.tau, noisy)
        weights = Hard(straight_through=True)(noisy, where) if self.hard else softmax(noisy, where)
        return in_dtype_of(scores, weights)
