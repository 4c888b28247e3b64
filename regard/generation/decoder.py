"""What writing needs of a model."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Decoder(Protocol):
    """A model that answers a token with the logits of the next one.

    `encoded` is what the model made of its input, with a row for each source. A state has a row for
    each beam, those of one source one after the other; what it keeps once for each source is
    marked `BY_SOURCE`. Both are tensors, tuples of tensors or dataclasses of tensors (see `take`).
    """

    def start(self, encoded: Any, beams: int) -> Any:
        """The state before the first token, the same for every beam."""
        ...

    def step(
        self, encoded: Any, state: Any, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], Any]:
        """Logits of what follows `token`, and the state after it; `state` stays valid."""
        ...
