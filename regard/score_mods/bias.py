"""Bias: any term added to the scores, written out."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from regard._pairwise import (
    Index,
    Offset,
    bind_rows,
    check_pairwise,
    describe,
    look_up,
    position,
    show_position,
)


@dataclass(frozen=True, eq=False)
class Bias:
    """Add a tensor: score + tensor[b, h, q − first_query, k], after scaling, with gradient to it.

    Args:
        tensor: floats that broadcast to [batch, heads, q_len, k_len], two to four dimensions
            (three are [heads, q_len, k_len]; a [batch, q_len, k_len] bias is `bias[:, None]`).
        first_query: the absolute position of the query that row 0 belongs to, one for all or an
            integer tensor [batch]; None is the call's first query, whatever its position. With a
            position, the tensor may cover a whole sequence of which a call sees only a part:
            `Bias(bias, first_query=0)` serves every step of a growing cache.

    Raises TypeError for a tensor that is not floating-point: a boolean one is a mask.
    `check` raises ValueError when batch, heads, q_len, k_len or device do not fit the call, and for
    three dimensions that may be [batch, q_len, k_len] as well.

    >>> import torch
    >>> from regard.score_mods import Bias
    >>> Bias(torch.zeros(2, 5, 5))
    Bias(float32[2, 5, 5])
    """

    tensor: Shaped[Tensor, "..."]
    first_query: Offset | None = None
    one_query: bool = field(default=False, repr=False)  # what `aligned` found out

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
        object.__setattr__(self, "first_query", position("Bias", self.first_query))

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Add the tensor's entries."""
        exact = torch.promote_types(score.dtype, torch.float32)
        bias = look_up("Bias", self.tensor, self.first_query, b, h, q, k)
        return (score.to(exact) + bias.to(exact)).to(score.dtype)

    def aligned(self, q_offset: Offset) -> "Bias":
        """Bind row 0 to the call's first query."""
        bound = bind_rows("Bias", self.tensor, self.first_query, self.one_query, q_offset)
        return Bias(*bound)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless the tensor broadcasts to the call."""
        held = self.tensor, self.first_query, self.one_query
        check_pairwise("Bias", "bias", *held, query, key)

    def __repr__(self) -> str:
        """Print what the tensor looks like."""
        return f"Bias({describe(self.tensor)}{show_position(self.first_query)})"
