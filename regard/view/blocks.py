"""Arrays inside a page: compressed, as text, each in an element of its own.

A page reads a block when it needs it, so the first picture does not wait for the last layer.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.view.base91 import read, written

_LARGEST_HALF = 60_000.0


class Blocks:
    """The arrays of a page in the order in which they were added; `add` gives the number of each.

    >>> blocks = Blocks()
    >>> blocks.add(np.zeros(1000, dtype=np.uint8)), blocks.size < 100
    (0, True)
    """

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, array: NDArray[Any]) -> int:
        """Store an array's bytes."""
        self._texts.append(written(deflated(array)))
        return len(self._texts) - 1

    def add_half(self, array: NDArray[np.float32]) -> dict[str, Any]:
        """Store numbers in half precision, with a factor where they would overflow."""
        largest = float(np.abs(array).max(initial=0.0))
        factor = 1.0 if largest <= _LARGEST_HALF else largest / _LARGEST_HALF
        half = np.ascontiguousarray(array / factor, dtype="<f2")
        return {"block": self.add(half), "shape": list(array.shape), "factor": factor}

    def take_back(self, count: int) -> None:
        """Forget all blocks but the first `count`."""
        del self._texts[count:]

    @property
    def size(self) -> int:
        """Characters of all blocks."""
        return sum(map(len, self._texts))

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def deflated(array: NDArray[Any]) -> bytes:
    """An array's bytes as raw deflate.

    Codes of weights repeat themselves too rarely for matches to be worth a search: runs alone cost
    3 % of the size and an eighth of the time.
    """
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return packer.compress(np.ascontiguousarray(array).tobytes()) + packer.flush()


def inflated(text: str) -> bytes:
    """What `Blocks` stored, as bytes.

    >>> blocks = Blocks()
    >>> _ = blocks.add(np.arange(3, dtype=np.uint8))
    >>> list(inflated(next(iter(blocks))))
    [0, 1, 2]
    """
    return zlib.decompress(read(text), -15)
