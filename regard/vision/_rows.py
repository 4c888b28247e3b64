"""Conversion between maps and the operator's layout: places in rows, one head."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn


def rows_of(
    x: Float[Tensor, "batch channels *places"],
) -> Float[Tensor, "batch all_places channels"]:
    """One row of channels per place.

    >>> import torch
    >>> rows_of(torch.zeros(2, 8, 4, 5)).shape
    torch.Size([2, 20, 8])
    """
    return rearrange(x.flatten(2), "batch channels places -> batch places channels")


def map_of(
    rows: Float[Tensor, "batch all_places width"], like: Float[Tensor, "batch channels *places"]
) -> Float[Tensor, "batch width *places"]:
    """Rows as a map with the spatial shape of another one."""
    maps = rearrange(rows, "batch places width -> batch width places")
    return maps.reshape(*maps.shape[:2], *like.shape[2:])


def one_head(
    rows: Float[Tensor, "batch length width"],
) -> Float[Tensor, "batch 1 length width"]:
    """Rows with the head axis that the operator expects."""
    return rearrange(rows, "batch length width -> batch 1 length width")


def laid_out(x: Float[Tensor, "batch channels *places"]) -> torch.memory_format:
    """The memory format of a map: channels last, or contiguous."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim)
    # In this order, for `torch.vmap` answers the first question alone.
    if last is not None and not x.is_contiguous() and x.is_contiguous(memory_format=last):
        return last
    return torch.contiguous_format


class RectifiedRows(nn.Module):
    """A convolution of single places, a batch norm and a rectifier: `relu(norm(W x))`."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, width, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(
        self, rows: Float[Tensor, "batch all_places channels"]
    ) -> Float[Tensor, "batch all_places width"]:
        maps = rearrange(self.linear(rows), "batch places width -> batch width places")
        # In one piece, as the norm returns it: a compiled graph would take it for turned.
        maps = torch.relu(self.norm(maps.contiguous()))
        return rearrange(maps, "batch width places -> batch places width")
