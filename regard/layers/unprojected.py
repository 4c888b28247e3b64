"""Attention without learned weights: the formula itself."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._numbers import count
from regard._pairwise import Count
from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.join import concat_heads
from regard.layers.projection import split_heads


class UnprojectedAttention(nn.Module):
    """Attention over unprojected tokens; heads are slices of them.

        output = softmax(x x^T / sqrt(d)) x        with one head

    Args:
        num_heads: number of equal slices each token is split into.
        attend: score, normalizer, masks and so on; scaled dot product and softmax if None.

    Raises:
        ValueError: `num_heads` is below 1, or a call's width is not a multiple of it.

    Example:
        >>> import torch
        >>> UnprojectedAttention()(torch.eye(2).unsqueeze(0))
        tensor([[[0.6698, 0.3302],
                 [0.3302, 0.6698]]])
    """

    def __init__(self, num_heads: Count = 1, attend: Attend | None = None) -> None:
        super().__init__()
        hint = "one takes the tokens whole"
        self.num_heads = count("UnprojectedAttention", "num_heads", num_heads, least=1, hint=hint)
        self.attend = Attend() if attend is None else attend

    def forward(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len embed_dim"] | None = None,
        value: Float[Tensor, "batch k_len value_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch q_len value_dim"]:
        """Attend to `key` and `value` (by default the query and the key)."""
        key = query if key is None else key
        value = key if value is None else value
        heads = (self._cut(x) for x in (query, key, value))
        return concat_heads(self.attend(*heads, mask))

    def weights(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len embed_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows k_len"]:
        """The exact weights of the same call, of all heads and queries or some."""
        key = query if key is None else key
        return self.attend.weights(self._cut(query), self._cut(key), mask, rows, heads)

    def _cut(self, x: Tensor) -> Tensor:
        if x.shape[-1] % self.num_heads:
            raise ValueError(
                f"vectors of width {x.shape[-1]} cannot be cut into {self.num_heads} heads: "
                "choose a number of heads that divides the width"
            )
        return split_heads(x, self.num_heads)

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}"
