"""Networks that choose where to look by chance, and learn from what they find there."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from regard.layers import Choice


@runtime_checkable
class Explorer(Protocol):
    """A network whose attention may be hard.

    `reinforce(nats, choice)` is what an example costs besides `nats`, so that the choice that was
    made learns from what it led to; it is None where gradients pass through the choice.
    """

    @property
    def reinforce(self) -> Any: ...

    def explore(self, *inputs: Any) -> tuple[Tensor, Choice | None]:
        """Logits, and the choice that was made on the way, None where there was none."""


def explored(model: Any, *inputs: Any) -> tuple[Tensor, Choice | None]:
    """The logits of any network, and the choice of one that made one."""
    return model.explore(*inputs) if isinstance(model, Explorer) else (model(*inputs), None)


def learning_from(
    model: Any, nats: Float[Tensor, " batch"], choice: Choice | None
) -> Float[Tensor, " batch"]:
    """The loss of each example, with what its choice is to learn."""
    if choice is None or model.reinforce is None:
        return nats
    return nats + model.reinforce(nats, choice)
