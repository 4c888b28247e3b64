"""Keys and values split wherever the keys of a chunk begin or end.

Split and not sliced: the gradient of a slice is as large as all that it was taken from.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from regard._backends._spans import Piece

Met = tuple[Tensor, ...]
"""The cells that a chunk meets, one at least."""


class Cells:
    """Keys or values, split wherever the keys of a chunk begin or end."""

    def __init__(self, tensor_BHKD: Tensor, chunks: Sequence[Piece]) -> None:
        edges = {edge for chunk in chunks for edge in (chunk.first, chunk.last)}
        ends = sorted(edges | {0, tensor_BHKD.shape[2]})
        sizes = [last - first for first, last in zip(ends, ends[1:], strict=False)]
        self.cells = tensor_BHKD.split(sizes, 2) if len(sizes) > 1 else (tensor_BHKD,)
        self.place = {end: index for index, end in enumerate(ends)}

    def of(self, chunk: Piece) -> tuple[Tensor, ...]:
        """The cells that a chunk meets, one at least."""
        if chunk.first == chunk.last:
            return (self.cells[0][:, :, :0],)
        return self.cells[self.place[chunk.first] : self.place[chunk.last]]


def together(cells: Met) -> Tensor:
    """The cells as one tensor."""
    return cells[0] if len(cells) == 1 else torch.cat(list(cells), 2)
