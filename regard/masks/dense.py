"""Dense masking: any pattern, written out."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Shaped
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
from regard.masks._mask import Mask


@dataclass(frozen=True, eq=False)
class Dense(Mask):
    """A query sees what the tensor permits: tensor[b, h, q − first_query, k].

    Args:
        tensor: booleans that broadcast to [batch, heads, q_len, k_len], two to four dimensions
            (three are [heads, q_len, k_len]; a [batch, q_len, k_len] mask is `mask[:, None]`).
        first_query: the absolute position of the query that row 0 belongs to, one for all or an
            integer tensor [batch]; None is the call's first query, whatever its position. With a
            position, the tensor may cover a whole sequence of which a call sees only a part:
            `Dense(mask, first_query=0)` serves every step of a growing cache.

    Raises TypeError for a tensor that is not boolean: a mask is never silently read as a bias.
    `check` raises ValueError when batch, heads, q_len, k_len or device do not fit the call, and for
    three dimensions that may be [batch, q_len, k_len] as well.

    >>> import torch
    >>> from regard.masks import Causal, Dense
    >>> Causal() & Dense(torch.ones(5, 5, dtype=torch.bool))
    Causal() & Dense(bool[5, 5])
    """

    tensor: Shaped[Tensor, "..."]
    first_query: Offset | None = None
    one_query: bool = field(default=False, repr=False)  # what `aligned` found out

    def __post_init__(self) -> None:
        """Refuse tensors whose meaning would have to be guessed."""
        if not isinstance(self.tensor, Tensor):
            raise TypeError(
                f"Dense needs a boolean tensor, got {type(self.tensor).__name__}; "
                "use torch.as_tensor(mask, dtype=torch.bool)."
            )
        if self.tensor.dtype != torch.bool:
            raise TypeError(
                f"Dense needs a boolean tensor, got {describe(self.tensor)}; for a 0/1 mask use "
                "mask.bool() where 1 means may attend, for an additive mask use mask == 0 or "
                "score_mod=Bias(mask)."
            )
        if not 2 <= self.tensor.ndim <= 4:
            raise ValueError(
                f"Dense needs 2 to 4 dimensions, got {self.tensor.ndim}; "
                "give a shape that broadcasts to [batch, heads, q_len, k_len]."
            )
        object.__setattr__(self, "first_query", position("Dense", self.first_query))

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit what the tensor permits."""
        return look_up("Dense", self.tensor, self.first_query, b, h, q, k)

    def aligned(self, q_offset: Offset) -> "Dense":
        """Bind row 0 to the call's first query."""
        bound = bind_rows("Dense", self.tensor, self.first_query, self.one_query, q_offset)
        return Dense(*bound)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless the tensor broadcasts to the call."""
        held = self.tensor, self.first_query, self.one_query
        check_pairwise("Dense", "mask", *held, query, key)

    def __repr__(self) -> str:
        """Print what the tensor looks like."""
        return f"Dense({describe(self.tensor)}{show_position(self.first_query)})"
