"""The exact weights for some heads and queries, whatever kernel ran: only these are computed."""

from collections.abc import Iterable, Sequence
from operator import index

import torch
from torch import Tensor

from regard._backends import _sanitize, reference
from regard._backends._call import Call
from regard._backends._held import is_ours, takes_some_rows
from regard._pairwise import Count
from regard._torch_private import can_look_at, is_static

Chosen = Count | slice | Sequence[Count] | Tensor | None


def run(call: Call, heads: Chosen, rows: Chosen) -> Tensor:
    """`[B, some heads, some queries, K]` in the query's dtype, what the mask hides kept in."""
    head = _selected(heads, call.query.shape[1], "heads", call.query.device)
    row = _selected(rows, call.q_len, "rows", call.query.device)
    is_plain = call.mask is None or call.query.is_meta or torch.compiler.is_compiling()
    if is_plain or (can_look_at(call.query) and _sanitize.all_finite(call)):
        return _weigh(call, head, row).to(call.query.dtype)
    call, reached, _ = _sanitize.sanitized(call)
    reached = _of(reached, head, row).unsqueeze(-1)
    return _weigh(call, head, row).masked_fill(reached, torch.nan).to(call.query.dtype)


Index = Tensor | None
"""Which heads or rows, as whole numbers; None is all of them."""


def _weigh(call: Call, heads: Index, rows: Index) -> Tensor:
    """The reference's weights for some heads and rows, which keep the positions they have.

    A score from elsewhere may know its head, and a normalizer from elsewhere its head and its row:
    they are given all, and what was not asked for is left out afterwards.
    """
    for_rows = takes_some_rows(call.normalizer)
    for_heads = for_rows and is_ours(call.score)
    first = heads if for_heads else None, rows if for_rows else None
    selected, indices = _narrowed(call, *first)
    weights = reference.weigh(selected, indices)
    return _of(weights, None if for_heads else heads, None if for_rows else rows)


def _narrowed(
    call: Call, heads: Index, rows: Index
) -> tuple[Call, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The call for some heads and rows, and the indices `b h q k` that these have."""
    b, h, q, k = call.indices
    query, key, normalizer = call.query, call.key, call.normalizer
    if heads is not None:
        query, h = query[:, heads], h[:, heads]
        key = key[:, heads // call.groups]
    if rows is not None:
        query, q = query[:, :, rows], q[:, :, rows]
    at = getattr(normalizer, "at", None)
    if at is not None and not (heads is None and rows is None):
        every = slice(None)
        normalizer = at(every if heads is None else heads, every if rows is None else rows)
    return call.where(query=query, key=key, normalizer=normalizer), (b, h, q, k)


def _of(tensor: Tensor, heads: Index, rows: Index) -> Tensor:
    """Some heads and rows of `[B, H, Q, …]`."""
    tensor = tensor if heads is None else tensor[:, heads]
    return tensor if rows is None else tensor[:, :, rows]


def _selected(chosen: Chosen, length: int, name: str, device: torch.device) -> Index:
    """Indices 0 … length - 1 that were asked for, negative ones counted from the end."""
    if chosen is None:
        return None
    everything = torch.arange(length, device=device)
    if isinstance(chosen, slice):
        return everything[chosen]
    if isinstance(chosen, Tensor):
        return everything[_checked(chosen.to(device).reshape(-1), length, name)]
    single = isinstance(chosen, str) or not isinstance(chosen, Iterable)
    numbers: list[object] = [chosen] if single else list(chosen)  # type: ignore[arg-type]
    indices = [_whole(number, name) for number in numbers]
    for one in indices:
        if is_static(length) and not -length <= one < length:
            raise _out_of_range(name, one, length)
    return everything[torch.tensor(indices, dtype=torch.long, device=device)]


def _checked(chosen: Tensor, length: int, name: str) -> Tensor:
    chosen = chosen.long() if chosen.numel() == 0 else chosen
    if chosen.dtype == torch.bool or chosen.is_floating_point():
        raise TypeError(f"{name} must be whole numbers or a slice, not {chosen.dtype}.")
    if chosen.numel() and can_look_at(chosen):
        for one in (int(chosen.max()), int(chosen.min())):
            if not -length <= one < length:
                raise _out_of_range(name, one, length)
    return chosen


def _whole(number: object, name: str) -> int:
    """An int, or what counts as one, such as NumPy's; a boolean does not."""
    if not isinstance(number, bool) and type(number).__name__ != "bool_":
        try:
            return index(number)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(
        f"{name} must be an int, a slice or a sequence of ints, not {type(number).__name__}: "
        f"for example {name}=[0, -1]."
    )


def _out_of_range(name: str, one: int, length: int) -> IndexError:
    return IndexError(
        f"{name} asks for {one}, but there are {length}: count from 0 to {length - 1}."
    )
