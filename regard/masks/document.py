"""Document masking: texts packed into one row do not see each other."""

from dataclasses import dataclass, replace

from jaxtyping import Bool, Shaped
from torch import Tensor

from regard._pairwise import (
    Index,
    Offset,
    bound_to,
    check_batch,
    check_device,
    check_first_query,
    describe,
    is_integer,
    position,
    rows_of,
    show_position,
)
from regard.masks._mask import Mask


@dataclass(frozen=True, eq=False)
class Document(Mask):
    """A query sees the keys of its own document: ids[q] = ids[k].

    Args:
        ids: integers [batch, length] or [length], the document of each absolute position.
        key_ids: the same for the keys where they are a different sequence (cross-attention);
            `ids` then belong to the call's queries in order, like the rows of `Dense`.
        first_query: the position of the query that `ids[0]` belongs to, with `key_ids` only, one
            for all or an integer tensor [batch]; None is the call's first query.

    Raises TypeError for ids that are not integers. `check` raises ValueError when batch, lengths or
    device do not fit the call, `aligned` when a query would come before the first id.

    >>> import torch
    >>> from regard.masks import Document
    >>> b, h, position = torch.tensor(0), torch.tensor(0), torch.arange(3)
    >>> Document(torch.tensor([7, 7, 9]))(b, h, position[:, None], position).int()
    tensor([[1, 1, 0],
            [1, 1, 0],
            [0, 0, 1]], dtype=torch.int32)

    References:
        Krell, Kosec, Perez & Fitzgibbon. Efficient Sequence Packing without Cross-contamination.
        2021. https://arxiv.org/abs/2107.02027
    """

    ids: Shaped[Tensor, "..."]
    key_ids: Shaped[Tensor, "..."] | None = None
    first_query: Offset | None = None

    def __post_init__(self) -> None:
        """Refuse ids that are not integers, one or one row per sequence."""
        for name, ids in (("ids", self.ids), ("key_ids", self.key_ids)):
            if name == "key_ids" and ids is None:
                continue
            if not isinstance(ids, Tensor) or not is_integer(ids) or ids.ndim not in (1, 2):
                got = describe(ids) if isinstance(ids, Tensor) else type(ids).__name__
                raise TypeError(
                    f"Document needs {name} to be integers [length] or [batch, length], got {got}; "
                    "number the documents, for example 0 0 0 1 1."
                )
        object.__setattr__(self, "first_query", position("Document", self.first_query))
        if self.key_ids is None and self.first_query is not None:
            raise ValueError(
                f"Document got first_query {self.first_query} but 0 key_ids; ids without key_ids "
                "count absolute positions from 0, so leave first_query out."
            )

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit keys of the query's document."""
        key_ids = self.ids if self.key_ids is None else self.key_ids
        row = rows_of("Document(ids)", self.ids.shape[-1], self.first_query, b, q)
        return _at(self.ids, b, row) == _at(key_ids, b, k)

    def aligned(self, q_offset: Offset) -> "Document":
        """Bind ids of queries to the call's first query; reject positions before the first id."""
        if self.key_ids is not None and self.first_query is None:
            return replace(self, first_query=q_offset)
        first = 0 if self.first_query is None else self.first_query
        if isinstance(first, Tensor) or isinstance(q_offset, Tensor):
            key_ids = self.ids if self.key_ids is None else self.key_ids
            return Document(self.ids, key_ids, bound_to(first, q_offset))
        if q_offset < first:
            raise ValueError(
                f"Document starts at position {first} but the first query stands at {q_offset}; "
                "give the queries' own ids with Document(ids, key_ids=...)."
            )
        if self.key_ids is None and q_offset > 0:
            return Document(self.ids[..., q_offset:], self.ids, first_query=q_offset)
        return self

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless there is an id for every query and key of the call."""
        check_first_query("Document", self.first_query, query)
        key_name, key_ids = ("ids", self.ids) if self.key_ids is None else ("key_ids", self.key_ids)
        for name, ids, axis, length in (
            ("ids", self.ids, "q_len", query.shape[2]),
            (key_name, key_ids, "k_len", key.shape[2]),
        ):
            owner = f"Document({name})"
            check_device(owner, ids, query)
            if ids.ndim == 2:
                check_batch(owner, ids.shape[0], query)
            if ids.shape[-1] < length:
                raise ValueError(
                    f"{owner} has length {ids.shape[-1]} but the call has {axis} {length}; "
                    "give one id per position."
                )

    def __repr__(self) -> str:
        """Print what the tensors look like."""
        parts = [f"ids={describe(self.ids)}"]
        if self.key_ids is not None:
            parts.append(f"key_ids={describe(self.key_ids)}")
        return f"Document({', '.join(parts)}{show_position(self.first_query)})"


def _at(ids: Tensor, b: Tensor, position: Tensor) -> Tensor:
    """Look an id up, in the sequence's own row where there is one."""
    return ids[position] if ids.ndim == 1 else ids[b, position]
