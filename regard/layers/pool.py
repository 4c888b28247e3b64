"""What turns sequences into vectors."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from regard.masks import Padding


@runtime_checkable
class Pool(Protocol):
    """Sequences to one vector or a few: `AttentionPool`, `HardPool`, `MeanPool`, or yours.

    `pool(x, mask)` is `pool.weights(x, mask) @ x` when nothing is drawn or dropped: zeros where
    there is nothing to pool.
    """

    def __call__(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch queries embed_dim"]: ...

    def weights(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch queries k_len"]: ...
