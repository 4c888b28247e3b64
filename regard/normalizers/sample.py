"""Hard attention by sampling, trained by REINFORCE."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._pairwise import Count
from regard.normalizers._closed import at_least_float32, close, in_dtype_of
from regard.normalizers._gumbel import gumbel
from regard.normalizers._seeded import Seeded
from regard.normalizers.hard import hard


@dataclass(frozen=True)
class Sample(Seeded):
    """All weight on one key, sampled with softmax's probabilities.

        weights = one_hot(j)      j ~ softmax(scores)

    Sampling has no gradient; the scores learn from the log-probability of the sample, weighted by
    reward minus baseline (the paper uses a moving-average baseline and adds an entropy bonus):

        weights = regard.attention_weights(query, key, mask=mask, normalizer=Sample())
        log_prob = (weights * regard.attention_weights(query, key, mask=mask)).sum(-1).log()
        loss = -(log_prob * (reward(weights @ value) - baseline).detach()).mean()

    or, where the scores are available, from `Sample.log_prob(weights, scores, where)`, which is 0
    instead of -inf in a row without a permitted key.

    Without a `seed`, random numbers come from torch's global generator (`torch.manual_seed`). With
    one, the sample depends only on the seed and the position of the pair: it is the same for every
    call and every backend. Pass a new seed each step; compiled code is recompiled once when the
    seed changes, and then serves all seeds.

    Example:
        >>> scores = torch.tensor([[0.0, 0.0, -100.0]])
        >>> weights = Sample(seed=0)(scores)
        >>> weights.sum().item(), weights[0, 2].item()
        (1.0, 0.0)
        >>> Sample.log_prob(weights, scores)
        tensor([-0.6931])

    References:
        Kelvin Xu, Jimmy Ba, Ryan Kiros, et al. Show, Attend and Tell: Neural Image Caption
        Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
        Ronald Williams. Simple Statistical Gradient-Following Algorithms for Connectionist
        Reinforcement Learning. 1992. https://doi.org/10.1007/BF00992696
    """

    seed: Count | None = None

    def __post_init__(self) -> None:
        self._check_seed()

    def _draw(self, heads: Any, rows: Any, scores: Tensor, where: Tensor | None = None) -> Tensor:
        noisy = at_least_float32(scores).detach()
        noisy = noisy + gumbel(noisy, self.seed, heads, rows)
        return in_dtype_of(scores, hard(noisy, where))

    @staticmethod
    def log_prob(
        weights: Float[Tensor, "*rows k_len"],
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows"]:
        """Log-probability of the sampled keys under these scores, with a gradient to the scores."""
        filled, closed = close(scores, where)
        log_probs = torch.log_softmax(filled, dim=-1).masked_fill(closed, 0.0)
        return in_dtype_of(scores, (weights.detach() * log_probs).sum(dim=-1))
