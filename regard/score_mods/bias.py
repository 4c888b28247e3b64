"""Bias: any term added to the scores, written out."""

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float, Shaped
from torch import Tensor

from regard._pairwise import Index, bind_rows, check_pairwise, describe, look_up


@dataclass(frozen=True, eq=False)
class Bias:
    """Add a tensor: score + tensor[b, h, q − first_query, k], after scaling, with gradient to it.

    Args:
        tensor: floats that broadcast to [batch, heads, q_len, k_len], two to four dimensions
            (three are [heads, q_len, k_len]; a [batch, q_len, k_len] bias is `bias[:, None]`).
        first_query: the absolute position of the query that row 0 belongs to; None is the call's
            first query, wherever that stands.

    Raises TypeError for a tensor that is not floating: a boolean one is a mask.
    `check` raises ValueError when batch, heads, q_len, k_len or device do not fit the call.

    >>> import torch
    >>> from regard.score_mods import Bias
    >>> Bias(torch.zeros(2, 5, 5))
    Bias(float32[2, 5, 5])
    """

    tensor: Shaped[Tensor, "..."]
    first_query: int | None = None

    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse tensors that are masks or counts."""
        if not isinstance(self.tensor, Tensor):
            raise TypeError(
                f"Bias needs a floating tensor, got {type(self.tensor).__name__}; "
                "use torch.as_tensor(bias, dtype=torch.float32)."
            )
        if not self.tensor.is_floating_point():
            raise TypeError(
                f"Bias needs a floating tensor, got {describe(self.tensor)}; "
                "give booleans as mask=Dense(tensor), integers as tensor.float()."
            )
        if not 2 <= self.tensor.ndim <= 4:
            raise ValueError(
                f"Bias needs 2 to 4 dimensions, got {self.tensor.ndim}; "
                "give a shape that broadcasts to [batch, heads, q_len, k_len]."
            )

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Add the tensor's entries."""
        return score + look_up(self.tensor, self.first_query or 0, b, h, q, k).to(score.dtype)

    def aligned(self, q_offset: int) -> "Bias":
        """Bind row 0 to the call's first query."""
        rows = bind_rows(self.tensor, self.first_query, q_offset, "Bias")
        return replace(self, tensor=rows, first_query=q_offset)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless the tensor broadcasts to the call."""
        check_pairwise(self.tensor, self.first_query, "Bias", query, key)

    def __repr__(self) -> str:
        """Print what the tensor looks like."""
        bound = "" if self.first_query is None else f", first_query={self.first_query}"
        return f"Bias({describe(self.tensor)}{bound})"
