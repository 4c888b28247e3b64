"""Auxiliary losses: what teaches a network beside its labels, without being in the loss."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from regard.layers.reinforce import Reinforce
from regard.layers.sampling import Sampled


@runtime_checkable
class AuxLoss(Protocol):
    """What a network gives beside its logits (`forward_sampled`), to be added to the loss.

    Its value is zero, so that the loss that is reported stays that of the labels; its gradient
    teaches what a label does not say, such as where to look or when to stop.
    """

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Zeros; rows that are not `known`, those without a label, teach nothing."""
        ...


@dataclass(frozen=True, eq=False)
class ReinforceLoss:
    """What a hard attention has drawn, to be judged by the loss it led to (see `Reinforce`).

    >>> import torch
    >>> sampled = Sampled(torch.tensor([-1.0, -2.0], requires_grad=True), torch.zeros(2))
    >>> ReinforceLoss(Reinforce(), sampled)(torch.tensor([3.0, 5.0])).sum().backward()
    >>> sampled.log_prob.grad
    tensor([3., 5.])
    """

    reinforce: Reinforce
    sampled: Sampled

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        return self.reinforce(nll, self.sampled, known)


@runtime_checkable
class AwaitsReward(Protocol):
    """An auxiliary loss that must know what the answers were worth before it can teach."""

    def rewarded(self, reward: Float[Tensor, " batch"]) -> AuxLoss:
        """The loss of answers that earned this much."""
        ...


@dataclass(frozen=True, eq=False)
class BaselineReinforceLoss:
    r"""REINFORCE of several draws one behind the other, with a baseline that each one has learned.

        term = 1/T Σ_t (R - b_t)² - weight Σ_t (R - b_t) log π_t

    where b_t is no more than a number to the second sum, and the reward R, 1 where an answer is
    right, comes by `rewarded` when that is known. A baseline that does not depend on its draw
    leaves the mean of the gradient alone.

    Args:
        log_prob: of each draw of a row, with gradients to what it was drawn from.
        baseline: what was expected before each draw, with gradients to what expects it.
        weight: what the draws count beside the baselines.

    >>> import torch
    >>> log_prob, baseline = torch.zeros(1, 2, requires_grad=True), torch.tensor([[0.5, 0.0]])
    >>> aux = BaselineReinforceLoss(log_prob, baseline).rewarded(torch.ones(1))
    >>> aux(torch.zeros(1)).sum().backward()
    >>> log_prob.grad
    tensor([[-0.5000, -1.0000]])

    References:
        Mnih, Heess, Graves & Kavukcuoglu. Recurrent Models of Visual Attention. 2014.
        https://arxiv.org/abs/1406.6247
    """

    log_prob: Float[Tensor, "batch draws"]
    baseline: Float[Tensor, "batch draws"]
    weight: float = 1.0
    reward: Float[Tensor, " batch"] | None = None

    def rewarded(self, reward: Float[Tensor, " batch"]) -> AuxLoss:
        """The loss of answers that earned this much."""
        return replace(self, reward=reward)

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Raises `ValueError` as long as there is no reward."""
        if self.reward is None:
            raise ValueError(
                "the draws have no reward yet: say rewarded(reward), 1 for each row whose answer "
                "is right, before this loss is asked"
            )
        ahead = self.reward.detach().to(self.baseline.dtype)[:, None] - self.baseline
        squares = ahead.square().sum(1) / max(1, ahead.shape[1])
        term = squares - self.weight * (ahead.detach() * self.log_prob).sum(1)
        term = term if known is None else term.masked_fill(~known, 0.0)
        return term - term.detach()


@dataclass(frozen=True, eq=False)
class PonderLoss:
    """What each row pays for its computation, whatever its loss (see `ACTOutput.ponder_loss`).

    >>> import torch
    >>> cost = torch.tensor([0.25, 0.5], requires_grad=True)
    >>> PonderLoss(cost)(torch.ones(2), torch.tensor([True, False])).sum().backward()
    >>> cost.grad
    tensor([1., 0.])
    """

    cost: Float[Tensor, " batch"]

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        cost = self.cost if known is None else self.cost.masked_fill(~known, 0.0)
        return cost - cost.detach()


@dataclass(frozen=True, eq=False)
class CoverageLoss:
    """What it costs that a row's queries do not look once, all together, at each key.

        lambda sum_i (1 - sum_t alpha_ti)^2

    Args:
        looked: `sum_t alpha_ti`, how much all queries of a row together look at each key.
        penalty: lambda.

    >>> import torch
    >>> looked = torch.tensor([[0.5, 1.5]], requires_grad=True)
    >>> CoverageLoss(looked, penalty=1.0)(torch.ones(1)).sum().backward()
    >>> looked.grad
    tensor([[-1.,  1.]])

    References:
        Kelvin Xu, Jimmy Ba, Ryan Kiros, et al. Show, Attend and Tell: Neural Image Caption
        Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
    """

    looked: Float[Tensor, "batch k_len"]
    penalty: float

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        cost = self.penalty * (1 - self.looked).square().sum(1)
        cost = cost if known is None else cost.masked_fill(~known, 0.0)
        return cost - cost.detach()
