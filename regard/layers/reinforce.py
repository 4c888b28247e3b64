"""REINFORCE: the gradient that teaches hard attention where to look."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.layers.rank_synchronized import RankSynchronized
from regard.layers.sampling import Sampled


class Reinforce(RankSynchronized):
    """Train hard attention on the losses that its samples led to (Williams, 1992).

        term = (nll - baseline) log_prob - bonus entropy
        baseline <- decay baseline + (1 - decay) mean(nll)

    Add it to the negative log-likelihoods. Its value is 0, so that the loss is unchanged; its
    gradient is that of `term`, whose expectation is the gradient of the expected loss with respect
    to the scores. The baseline, a moving average of earlier losses, leaves that expectation
    unchanged and lowers the variance; the bonus keeps the attention from collapsing too early. The
    baseline is updated only in training with gradients, and not for a batch whose mean is not
    finite; it is the same on every rank and follows the mean over all of them.

    Args:
        decay: decay of the moving average; the paper's is 0.9.
        bonus: weight of the entropy, in nats of loss per nat; the paper's is 0.002.

    Raises:
        ValueError: decay is not in [0, 1), or bonus is negative.

    Example:
        >>> reinforce = Reinforce()
        >>> log_prob = torch.tensor([-1.0, -2.0], requires_grad=True)
        >>> reinforce(torch.tensor([3.0, 5.0]), Sampled(log_prob, torch.zeros(2)))
        tensor([0., 0.], grad_fn=<SubBackward0>)
        >>> reinforce.baseline
        tensor(0.4000)

    References:
        Kelvin Xu, Jimmy Ba, Ryan Kiros, et al. Show, Attend and Tell: Neural Image Caption
        Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
        Ronald Williams. Simple Statistical Gradient-Following Algorithms for Connectionist
        Reinforcement Learning. 1992. https://doi.org/10.1007/BF00992696
    """

    baseline: Tensor

    def __init__(self, decay: float = 0.9, bonus: float = 0.002) -> None:
        super().__init__()
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must be at least 0 and less than 1, got {decay}")
        if not bonus >= 0.0:
            raise ValueError(f"bonus must be at least 0, got {bonus}")
        self.decay, self.bonus = decay, bonus
        self.register_buffer("baseline", torch.zeros(()))

    def forward(
        self,
        nll: Float[Tensor, " batch"],
        sampled: Sampled,
        known: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """`known` marks the rows with a label, all if None: the others are ignored."""
        cost = nll.detach()
        known = torch.ones_like(cost, dtype=torch.bool) if known is None else known
        term = (cost - self.baseline) * sampled.log_prob - self.bonus * sampled.entropy
        term = term.masked_fill(~known, 0.0)
        if self.training and torch.is_grad_enabled():
            self._follow(cost.masked_fill(~known, 0.0), known)
        return term - term.detach()

    def _follow(self, cost: Tensor, known: Tensor) -> None:
        """Move the baseline towards the mean cost of the known rows of all ranks."""
        sums = torch.stack([cost.sum().to(self.baseline.dtype), known.sum()])
        total, count = self.over_ranks(sums)
        mean = total / count  # 0 / 0 without a row
        moved = self.baseline.lerp(mean, 1.0 - self.decay)
        self.baseline.copy_(torch.where(mean.isfinite(), moved, self.baseline))

    def extra_repr(self) -> str:
        return f"decay={self.decay}, bonus={self.bonus}"
