"""Tensors held by masks and score mods: how they are shown, checked and lined up with a call.

A pairwise tensor has one entry per (batch, head, query, key), any dimension of size 1 broadcast.
Its rows belong to queries: row 0 to the call's first query, or to an absolute position once bound.
"""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

Index = Int[Tensor, "..."]
"""Positions along one axis: 0-d under FlexAttention, four broadcastable dimensions when dense."""


def describe(tensor: Tensor) -> str:
    """Show a tensor by dtype and shape, not by its numbers: `int64[3]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def look_up(
    tensor: Shaped[Tensor, "..."], first_row: int, b: Index, h: Index, q: Index, k: Index
) -> Shaped[Tensor, "..."]:
    """Pick the entries of a pairwise tensor whose row 0 stands at query position `first_row`."""
    tensor = tensor.reshape((1,) * (4 - tensor.ndim) + tuple(tensor.shape))
    # A dimension of size 1 is read at a constant, so that it stays of size 1 in the dense result.
    first = b.new_zeros((1,) * b.ndim)
    b, h, q, k = (
        first if size == 1 else index
        for size, index in zip(tensor.shape, (b, h, q - first_row, k), strict=True)
    )
    return tensor[b, h, q, k]


def bind_rows(tensor: Tensor, first_query: int | None, q_offset: int, owner: str) -> Tensor:
    """Drop the rows before `q_offset`, so that row 0 belongs to the call's first query."""
    if first_query is None or tensor.shape[-2] == 1:
        return tensor
    if q_offset < first_query:
        raise ValueError(
            f"{owner} starts at query position {first_query} but the first query stands at "
            f"{q_offset}; give first_query={q_offset} or rows for the earlier queries."
        )
    return tensor[..., q_offset - first_query :, :]


def check_pairwise(
    tensor: Tensor, first_query: int | None, owner: str, query: Tensor, key: Tensor
) -> None:
    """Raise unless the tensor broadcasts to [batch, heads, q_len, k_len] of this call."""
    check_device(owner, tensor, query)
    shape = (1,) * (4 - tensor.ndim) + tuple(tensor.shape)
    wanted = {
        "batch": query.shape[0],
        "heads": query.shape[1],
        "q_len": query.shape[2],
        "k_len": key.shape[2],
    }
    for (axis, length), size in zip(wanted.items(), shape, strict=True):
        # A tensor bound to absolute positions may hold rows for other queries as well.
        enough = axis == "q_len" and first_query is not None and size >= length
        if size != length and size != 1 and not enough:
            raise ValueError(
                f"{owner} has {axis} {size} but the call has {axis} {length}; give it a shape that "
                f"broadcasts to [batch, heads, q_len, k_len] = {list(wanted.values())}."
            )


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
