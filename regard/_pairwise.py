"""Tensors held by parts: how they are shown, compared, checked and lined up with a call.

A pairwise tensor has one entry per (batch, head, query, key), any dimension of size 1 broadcast.
Its rows belong to queries: row 0 to the call's first query, or to an absolute position once bound.
Its keys stand at absolute positions: key 0 is the first there is, cached ones included.
"""

import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from regard._numbers import count
from regard._torch_private import can_look_at, is_jit_traced, surely

Index = Int[Tensor, "..."]
"""Positions along one axis: 0-d under FlexAttention, four broadcastable dimensions when dense."""

if TYPE_CHECKING:  # what a part holds, once it has been made
    Count = int
    Number = float | Tensor
else:  # what a part takes, NumPy's numbers included
    Count = SupportsIndex
    Number = SupportsFloat

Offset = Count | Int[Tensor, " batch"]
"""The position of a call's first query: one for all, or one for each sequence of the batch."""


class Valued:
    """A dataclass that may hold tensors: equal by its numbers, shown without those of tensors.

    A tensor is equal only to itself, since its numbers may change and may be on another device.
    Use it with `@dataclass(frozen=True, eq=False, repr=False)`.
    """

    def __eq__(self, other: object) -> bool:
        """Compare numbers by value and tensors by identity."""
        return type(other) is type(self) and _values(self) == _values(other)

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash((type(self), *_values(self)))

    def __repr__(self) -> str:
        """Print numbers, and what tensors look like."""
        held = ((field.name, getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type]
        shown = ", ".join(
            f"{name}={describe(value) if isinstance(value, Tensor) else repr(value)}"
            for name, value in held
        )
        return f"{type(self).__name__}({shown})"


def _values(part: Any) -> list[Any]:
    """What makes two parts of one type equal."""
    held = [getattr(part, field.name) for field in fields(part)]
    return [("tensor", id(value)) if isinstance(value, Tensor) else value for value in held]


def describe(tensor: Tensor) -> str:
    """Show a tensor by dtype and shape, not by its numbers: `int64[3]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def position(owner: str, value: Any) -> Any:
    """The `first_query` that `value` is: None, an int, or an integer tensor [batch]."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        if is_jit_traced() and value.ndim == 0:
            return value  # lengths are tensors there
        if not is_integer(value) or value.ndim != 1:
            raise TypeError(
                f"{owner} needs first_query to be an int or an integer tensor [batch], got "
                f"{describe(value)}; give one position per sequence."
            )
        return value
    return count(
        owner, "first_query", value, -sys.maxsize, "give the position that row 0 belongs to"
    )


def show_position(first_query: Offset | None) -> str:
    """How a repr ends: nothing where rows are not bound."""
    if first_query is None:
        return ""
    shown = describe(first_query) if isinstance(first_query, Tensor) else first_query
    return f", first_query={shown}"


def rows_of(owner: str, rows: int, first_query: Offset | None, b: Index, q: Index) -> Index:
    """Which of the `rows`, counted from the one of `first_query`, belong to the positions `q`.

    With a first position for each sequence, a row that is not there is refused where that can be
    seen for free. On an accelerator it is left to the device, for looking would wait for it.
    """
    if not isinstance(first_query, Tensor) or first_query.ndim == 0:
        return q if first_query is None else q - first_query
    asked = q - first_query[b]
    if can_look_at(asked) and asked.numel():
        first, last = (int(row) for row in asked.aminmax())
        if first < 0 or last >= rows:
            raise ValueError(
                f"{owner} has {rows} rows, 0 to {rows - 1}, but the call asks for {first} to "
                f"{last}; give a row for every query of every sequence, or another q_offset."
            )
    return asked


def look_up(
    owner: str,
    tensor: Shaped[Tensor, "..."],
    first_query: Offset | None,
    b: Index,
    h: Index,
    q: Index,
    k: Index,
) -> Shaped[Tensor, "..."]:
    """Pick the entries of a pairwise tensor whose row 0 stands at query position `first_query`."""
    tensor = tensor.reshape((1,) * (4 - tensor.ndim) + tuple(tensor.shape))
    if tensor.shape[2] != 1:
        q = rows_of(owner, tensor.shape[2], first_query, b, q)
    # A dimension of size 1 is read at a constant, so that it stays of size 1 in the dense result.
    first = b.new_zeros((1,) * b.ndim)
    b, h, q, k = (
        first if size == 1 else index
        for size, index in zip(tensor.shape, (b, h, q, k), strict=True)
    )
    return tensor[b, h, q, k]


def bind_rows(
    owner: str, tensor: Tensor, first_query: Offset | None, one_query: bool, q_offset: Offset
) -> tuple[Tensor, Offset, bool]:
    """Bind row 0 to the call's first query: the rows, where they start, and `one_query` anew.

    Rows bound to absolute positions are cut to begin at `q_offset`; `one_query` says that this left
    a single row, which must not be broadcast. With an offset for each sequence nothing is cut.
    """
    if first_query is None:
        return tensor, q_offset, one_query
    if isinstance(first_query, Tensor) or (tensor.shape[-2] == 1 and not one_query):
        return tensor, first_query, one_query
    if isinstance(q_offset, Tensor):
        return tensor, torch.full_like(q_offset, first_query, dtype=torch.int64), one_query
    if q_offset < first_query:
        raise ValueError(
            f"{owner} starts at query position {first_query} but the first query stands at "
            f"{q_offset}; give first_query={q_offset} or rows for the earlier queries."
        )
    rows = tensor[..., q_offset - first_query :, :]
    return rows, q_offset, rows.shape[-2] == 1


def bound_to(first_query: Offset, q_offset: Offset) -> Offset:
    """The position of row 0 for each sequence, if either is given for each."""
    if isinstance(q_offset, Tensor) and not isinstance(first_query, Tensor):
        return torch.full_like(q_offset, first_query, dtype=torch.int64)
    return first_query


def aligned_part(part: Any, q_offset: Offset) -> Any:
    """A part bound to the call's first query; one without rows, such as a function, as it is."""
    bind = getattr(part, "aligned", None)
    return part if bind is None else bind(q_offset)


def check_part(part: Any, query: Tensor, key: Tensor) -> None:
    """Let a part that can check a call do so."""
    check = getattr(part, "check", None)
    if check is not None:
        check(query, key)


def check_pairwise(
    owner: str,
    name: str,
    tensor: Tensor,
    first_query: Offset | None,
    one_query: bool,
    query: Tensor,
    key: Tensor,
) -> None:
    """Raise unless the tensor broadcasts to [batch, heads, q_len, k_len] of this call.

    One that is bound to absolute positions may hold rows and keys for the rest of the sequence.
    """
    check_device(owner, tensor, query)
    check_first_query(owner, first_query, query)
    shape = (1,) * (4 - tensor.ndim) + tuple(tensor.shape)
    wanted = {
        "batch": query.shape[0],
        "heads": query.shape[1],
        "q_len": query.shape[2],
        "k_len": key.shape[2],
    }
    batch, heads, q_len, k_len = wanted.values()
    rest = (shape[2], q_len), (shape[3], k_len)
    by_batch = f"for [batch, q_len, k_len] use {name}[:, None]"
    if tensor.ndim == 3 and shape[1] > 1 and surely(shape[1] == batch) and surely(batch == heads):
        raise ValueError(
            f"{owner} has three dimensions {list(tensor.shape)} in a call of batch {batch} and "
            f"{heads} heads, so that the first may be either; for [heads, q_len, k_len] use "
            f"{name}[None], {by_batch}."
        )
    for (axis, length), size in zip(wanted.items(), shape, strict=True):
        whole = first_query is not None and axis in ("q_len", "k_len")
        shared = size == 1 and not (axis == "q_len" and one_query)
        if shared or (size >= length if whole else size == length):
            continue
        fix = f"give it {axis} {length}, or 1 to share it"
        if axis == "heads" and tensor.ndim == 3 and size == batch:
            fix = f"three dimensions are [heads, q_len, k_len], {by_batch}"
        elif first_query is None and all(n in (1, m) or n > m for n, m in rest):
            fix = "give first_query=0 if its rows and keys are those of the whole sequence"
        raise ValueError(f"{owner} has {axis} {size} but the call has {axis} {length}; {fix}.")


def check_first_query(owner: str, first_query: Offset | None, query: Tensor) -> None:
    """Raise unless a tensor of positions fits the call's batch and device."""
    if isinstance(first_query, Tensor) and first_query.ndim:
        check_device(f"{owner}(first_query)", first_query, query)
        check_batch(f"{owner}(first_query)", first_query.shape[0], query)


def check_device(owner: str, tensor: Tensor, query: Tensor) -> None:
    """Raise unless the tensor is on the query's device."""
    if tensor.device != query.device:
        raise ValueError(
            f"{owner} is on {tensor.device} but query is on {query.device}; "
            f"move it there with tensor.to('{query.device}')."
        )


def check_batch(owner: str, size: int, query: Tensor) -> None:
    """Raise unless the tensor holds one entry per sequence of the batch."""
    if size != query.shape[0]:
        raise ValueError(
            f"{owner} has batch {size} but query has batch {query.shape[0]}; "
            "give one entry per sequence of the batch."
        )


def is_integer(tensor: Tensor) -> bool:
    """Say whether a tensor counts something (neither boolean nor floating)."""
    return not (tensor.dtype == torch.bool or tensor.is_floating_point() or tensor.is_complex())
