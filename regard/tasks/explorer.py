"""Networks from which an example learns more than its label says: where to look, when to stop."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from regard.layers import Choice, Toll

Met = Choice | Toll | None
"""What happened on the way to the logits, so that it has to be learned from."""


@runtime_checkable
class Explorer(Protocol):
    """A network that tells what it met on the way.

    A `Choice` goes to the network's `reinforce(nats, choice, known)`, so that it learns from what
    it led to; where that is None, gradients pass through the choice. A `Toll` is to be made small.
    """

    def explore(self, *inputs: Any) -> tuple[Tensor, Met]:
        """Logits, and what was met in the same pass, None where there was nothing."""


def explored(model: Any, *inputs: Any) -> tuple[Tensor, Met]:
    """The logits of any network, and what one met that tells."""
    return model.explore(*inputs) if isinstance(model, Explorer) else (model(*inputs), None)


def learning_from(
    model: Any,
    nats: Float[Tensor, " batch"],
    met: Met,
    known: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, " batch"]:
    """The loss of each example, whose value stays `nats` and whose gradient knows what was met.

    Args:
        known: the examples that have a label, all if None; others learn nothing.
    """
    if isinstance(met, Toll):
        extra = met.nats if known is None else met.nats.masked_fill(~known, 0.0)
        return nats + (extra - extra.detach())
    if met is None or model.reinforce is None:
        return nats
    return nats + model.reinforce(nats, met, known)
