"""Auxiliary losses: training signals besides the labels, not part of the reported loss."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from regard.layers.reinforce import Reinforce
from regard.layers.sampling import Sampled


@runtime_checkable
class AuxLoss(Protocol):
    """What a network returns besides its logits (`forward_sampled`), to be added to the loss.

    Its value is zero, so that the reported loss remains that of the labels; its gradient teaches
    what labels do not, such as where to attend or when to stop.
    """

    def __call__(
        self, nll: Float[Tensor, " batch"], known: Bool[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Zeros; rows that are not `known`, those without a label, contribute no gradient."""
        ...


@dataclass(frozen=True, eq=False)
class ReinforceLoss:
    """The sample of a hard attention, rewarded by the loss it led to (see `Reinforce`).

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
    """An auxiliary loss that needs the reward of the answers before it can be computed."""

    def rewarded(self, reward: Float[Tensor, " batch"]) -> AuxLoss:
        """The loss of answers that earned this much."""
        ...


@dataclass(frozen=True, eq=False)
class BaselineReinforceLoss:
    r"""REINFORCE over successive samples, each with its own learned baseline.

        term = 1/T Σ_t (R - b_t)² - weight Σ_t (R - b_t) log π_t

    where b_t is detached in the second sum, and the reward R, 1 where an answer is correct, is set
    by `rewarded` once it is known. A baseline that does not depend on its own sample leaves the
    expected gradient unchanged.

    Args:
        log_prob: of each sample of a row, with gradients to its distribution.
        baseline: the reward predicted before each sample, with gradients to its predictor.
        weight: weight of the policy term relative to the baseline term.

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
        """Raises `ValueError` until there is a reward."""
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
    """The cost of each row's computation, whatever its loss (see `ACTOutput.ponder_loss`).

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
    """Penalty on keys whose weights, summed over a row's queries, differ from 1.

        lambda sum_i (1 - sum_t alpha_ti)^2

    Args:
        looked: `sum_t alpha_ti`, the weights on each key, summed over the queries of a row.
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
