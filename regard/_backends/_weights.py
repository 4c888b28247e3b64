"""The exact weights for some heads and queries, whatever kernel ran: only these are computed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from regard._backends import _shield, reference
from regard._backends._call import Call, is_traced

Chosen = int | slice | Sequence[int] | Tensor | None


def run(call: Call, heads: Chosen, rows: Chosen) -> Tensor:
    """`[B, some heads, some queries, K]` in the query's dtype, what the mask hides kept in."""
    head = _selected(heads, call.query.shape[1], "heads", call.query.device)
    row = _selected(rows, call.q_len, "rows", call.query.device)
    if call.mask is None or is_traced() or _shield.is_tame(call):
        return _weigh(call, head, row).to(call.query.dtype)
    call, reached = _shield.shield(call)
    reached = reached[:, head][:, :, row].unsqueeze(-1)
    return _weigh(call, head, row).masked_fill(reached, torch.nan).to(call.query.dtype)


def _weigh(call: Call, heads: Tensor, rows: Tensor) -> Tensor:
    """The reference's weights for some heads and rows, which keep the positions they have."""
    b, h, q, k = call.indices
    at = getattr(call.normalizer, "at", None)
    selected = call.where(
        query=call.query[:, heads][:, :, rows],
        key=call.key[:, heads // call.groups],
        normalizer=call.normalizer if at is None else at(heads, rows),
    )
    return reference.weigh(selected, (b, h[:, heads], q[:, :, rows], k))


def _selected(chosen: Chosen, length: int, name: str, device: torch.device) -> Tensor:
    """Indices 0 … length - 1 that were asked for, negative ones counted from the end."""
    everything = torch.arange(length, device=device)
    if chosen is None:
        return everything
    if isinstance(chosen, slice):
        return everything[chosen]
    if not isinstance(chosen, (int, Sequence, Tensor)) or isinstance(chosen, str):
        raise TypeError(
            f"{name} must be an int, a slice or a sequence of ints, not {type(chosen).__name__}: "
            f"for example {name}=[0, -1]."
        )
    index = torch.as_tensor(chosen, device=device).reshape(-1)
    index = index.long() if index.numel() == 0 else index
    if index.dtype == torch.bool or index.is_floating_point():
        raise TypeError(f"{name} must be whole numbers or a slice, not {index.dtype}.")
    if index.numel() and not -length <= int(index.min()) <= int(index.max()) < length:
        raise IndexError(
            f"{name} asks for {int(index.max())} and {int(index.min())}, but there are {length}: "
            f"count from 0 to {length - 1}."
        )
    return everything[index]
