"""Auxiliary losses of networks."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from regard.layers import AuxLoss


def forward_sampled(model: Any, *inputs: Any) -> tuple[Tensor, AuxLoss | None]:
    """The logits of any network, and its auxiliary loss, if it has one.

    >>> from torch import nn, ones
    >>> forward_sampled(nn.Identity(), ones(2))
    (tensor([1., 1.]), None)
    """
    if hasattr(model, "forward_sampled"):
        return model.forward_sampled(*inputs)
    return model(*inputs), None


def with_auxiliary_loss(
    nll: Float[Tensor, " batch"],
    aux: AuxLoss | None,
    known: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, " batch"]:
    """The loss of each example: its value is `nll`, its gradient includes the auxiliary loss.

    Args:
        known: the examples that have a label, all if None; others are ignored.
    """
    return nll if aux is None else nll + aux(nll, known)
