"""The protocol of models that can decode."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Decoder(Protocol):
    """A model that maps a token to the logits of the next one.

    `encoded` is the model's encoding of its input, with one row per source. A state has one row
    per beam, those of a source consecutively; fields with one row per source are marked
    `BY_SOURCE`. Both are tensors, tuples of tensors or dataclasses of tensors (see `take`).
    """

    def start(self, encoded: Any, beams: int) -> Any:
        """The state before the first token, the same for every beam."""
        ...

    def step(
        self, encoded: Any, state: Any, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], Any]:
        """Logits of the token after `token`, and the state after it; `state` stays valid."""
        ...
