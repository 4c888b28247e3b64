"""Auxiliary losses: what teaches a network beside its labels, without being in the loss."""

from dataclasses import dataclass
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
