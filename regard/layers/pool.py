"""The protocol of pooling layers."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from regard.masks import Padding


@runtime_checkable
class Pool(Protocol):
    """Turns a sequence into one vector or a few: `AttentionPool`, `HardPool`, `MeanPool`, or yours.

    `pool(x, mask)` is `pool.weights(x, mask) @ x` without sampling or dropout: zeros where there
    is nothing to pool.
    """

    def __call__(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch queries embed_dim"]: ...

    def weights(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch queries k_len"]: ...
