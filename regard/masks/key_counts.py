"""Key counts: each query row has its own number of keys."""

from dataclasses import dataclass, field

from jaxtyping import Bool, Shaped
from torch import Tensor

from regard._pairwise import (
    Index,
    Offset,
    bind_rows,
    check_pairwise,
    describe,
    is_integer,
    look_up,
    position,
    show_position,
)
from regard.masks._mask import Mask


@dataclass(frozen=True, eq=False)
class KeyCounts(Mask):
    """A query sees as many leading keys as its row says: k < counts[b, h, q − first_query].

    `Padding(lengths)` is the case of one number per sequence; textbooks call both `valid_lens`.

    Args:
        counts: integers [q_len], [batch, q_len] or [batch, heads, q_len]; sizes of 1 are broadcast.
            Rows belong to the call's queries, like the rows of `Dense`.
        first_query: the absolute position of the query that row 0 belongs to, one for all or an
            integer tensor [batch]; None is the call's first query, whatever its position.

    Raises TypeError for counts that are not integers or have other dimensions. `check` raises
    ValueError when batch, heads, q_len or device do not fit the call.

    >>> import torch
    >>> from regard.masks import KeyCounts
    >>> b, h, q, k = torch.tensor(0), torch.tensor(0), torch.arange(3)[:, None], torch.arange(4)
    >>> KeyCounts(torch.tensor([2, 0, 4]))(b, h, q, k).int()
    tensor([[1, 1, 0, 0],
            [0, 0, 0, 0],
            [1, 1, 1, 1]], dtype=torch.int32)

    References:
        Zhang, Lipton, Li & Smola. Dive into Deep Learning. 2023. https://d2l.ai
    """

    counts: Shaped[Tensor, "..."]
    first_query: Offset | None = None
    one_query: bool = field(default=False, repr=False)  # what `aligned` found out

    def __post_init__(self) -> None:
        """Refuse counts that are not integers, one per query."""
        counts = self.counts
        if not isinstance(counts, Tensor) or not is_integer(counts) or not 1 <= counts.ndim <= 3:
            got = describe(counts) if isinstance(counts, Tensor) else type(counts).__name__
            raise TypeError(
                "KeyCounts needs counts to be an integer tensor [q_len], [batch, q_len] or "
                f"[batch, heads, q_len], got {got}; give the number of keys that each query sees."
            )
        object.__setattr__(self, "first_query", position("KeyCounts", self.first_query))

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit the first keys."""
        return k < look_up("KeyCounts", self._pairs(), self.first_query, b, h, q, k)

    def aligned(self, q_offset: Offset) -> "KeyCounts":
        """Bind row 0 to the call's first query."""
        held = self.counts.unsqueeze(-1), self.first_query, self.one_query
        rows, first_query, one_query = bind_rows("KeyCounts", *held, q_offset)
        return KeyCounts(rows.squeeze(-1), first_query, one_query)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless the counts broadcast to the call."""
        held = self._pairs(), self.first_query, self.one_query
        check_pairwise("KeyCounts", "counts", *held, query, key)

    def _pairs(self) -> Tensor:
        """The counts as a pairwise tensor [batch, heads, q_len, 1]."""
        counts = self.counts.unsqueeze(1) if self.counts.ndim == 2 else self.counts
        return counts.reshape((1,) * (3 - counts.ndim) + tuple(counts.shape)).unsqueeze(-1)

    def __repr__(self) -> str:
        """Print what the tensor looks like."""
        return f"KeyCounts({describe(self.counts)}{show_position(self.first_query)})"
