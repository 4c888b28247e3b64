"""Hard attention in training: what was drawn, and the gradient that teaches where to look."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.normalizers import Sample


@dataclass(frozen=True, eq=False)
class Choice:
    """What a hard attention drew for each row of a batch.

    `log_prob` is the log-probability of what was drawn and `entropy` that of the distribution it
    was drawn from, both in nats, summed over the draws of a row, with gradients to the scores.
    """

    log_prob: Float[Tensor, " batch"]
    entropy: Float[Tensor, " batch"]


def draw(
    probabilities: Float[Tensor, "batch queries k_len"],
) -> tuple[Float[Tensor, "batch queries k_len"], Choice]:
    """Draw one key for each query: one-hot weights, and the `Choice` that they are.

    The probabilities are the weights of a soft attention, such as `AttentionPool.weights`; those
    of a normalizer that does not sum to 1 are divided by their sum. A query without a permitted
    key draws nothing: its weights, log-probability and entropy are 0.

    >>> weights, choice = draw(torch.tensor([[[0.5, 0.5, 0.0]], [[0.0, 0.0, 0.0]]]))
    >>> weights.sum(-1), choice.log_prob
    (tensor([[1.],
            [0.]]), tensor([-0.6931,  0.0000]))
    """
    whole = probabilities.sum(-1, keepdim=True)
    probabilities = probabilities / whole.clamp_min(torch.finfo(whole.dtype).tiny)
    logs = log(probabilities)
    weights = Sample()(logs)
    finite = logs.masked_fill(probabilities == 0, 0.0)
    log_prob = (weights * finite).sum((1, 2))
    return weights, Choice(log_prob, -(probabilities * finite).sum((1, 2)))


def log(probabilities: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The logarithm, -inf without a gradient where the probability is 0."""
    closed = probabilities == 0
    return probabilities.masked_fill(closed, 1.0).log().masked_fill(closed, -torch.inf)


class Reinforce(nn.Module):
    """Teach a hard attention with the losses that its draws led to (Williams, 1992).

        term = (nats - baseline) log_prob - bonus entropy
        baseline <- decay baseline + (1 - decay) mean(nats)

    Add it to the nats. Its value is 0, so that a loss stays the loss; its gradient is that of
    `term`, whose mean over draws is the gradient of the mean loss with respect to the scores. The
    baseline, which follows the loss of earlier batches, leaves that mean alone and lowers the
    variance; the bonus keeps the attention from closing its eyes too early. The baseline moves only
    in training, and not for a batch whose mean is no finite number.

    Args:
        decay: how much of the baseline a batch leaves; the paper's is 0.9.
        bonus: nats of loss that one nat of entropy is worth; the paper's is 0.002.

    Raises:
        ValueError: decay is not in [0, 1), or bonus is negative.

    Example:
        >>> reinforce = Reinforce()
        >>> log_prob = torch.tensor([-1.0, -2.0], requires_grad=True)
        >>> choice = Choice(log_prob, torch.zeros(2))
        >>> reinforce(torch.tensor([3.0, 5.0]), choice)
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
        nats: Float[Tensor, " batch"],
        choice: Choice,
        known: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """`known` are the rows that have a label, all if None: others teach and move nothing."""
        cost = nats.detach()
        known = torch.ones_like(cost, dtype=torch.bool) if known is None else known
        term = (cost - self.baseline) * choice.log_prob - self.bonus * choice.entropy
        term = term.masked_fill(~known, 0.0)
        if self.training:
            # Without a row the mean is 0 / 0.
            mean = (cost.masked_fill(~known, 0.0).sum() / known.sum()).to(self.baseline.dtype)
            moved = self.baseline.lerp(mean, 1.0 - self.decay)
            self.baseline.copy_(torch.where(mean.isfinite(), moved, self.baseline))
        return term - term.detach()

    def extra_repr(self) -> str:
        return f"decay={self.decay}, bonus={self.bonus}"
