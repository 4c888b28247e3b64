"""How large a call is, and where it runs."""

from dataclasses import dataclass

import torch

from regard._nearest import nearest
from regard._printable import shown

DTYPES = ("float32", "bfloat16", "float16", "float64")
MOST = 1 << 31
"""Numbers of one tensor."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a call, except its length.

    Args:
        kv_heads: key/value heads; None is `heads`.
        queries: queries of a call, fewer than keys in decoding; None is the number of keys.
        width: width of a head; a block gets `heads * width` channels.

    Raises `ValueError` for invalid sizes, and for a missing device.

    >>> Sizes(heads=8, kv_heads=3)
    Traceback (most recent call last):
    ValueError: 8 heads are no multiple of 3 kv_heads: give a divisor of 8
    """

    batch: int = 1
    heads: int = 8
    kv_heads: int | None = None
    queries: int | None = None
    width: int = 64
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("batch", "heads", "kv_heads", "queries", "width"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name} must be a whole number from 1, got {shown(value)}")
        if self.heads % (self.kv_heads or 1):
            raise ValueError(
                f"{self.heads} heads are no multiple of {self.kv_heads} kv_heads: give a divisor "
                f"of {self.heads}"
            )
        if self.dtype not in DTYPES:
            raise ValueError(
                f"there is no dtype {shown(self.dtype)}: {nearest(self.dtype, DTYPES)}"
            )
        self._require_device()

    def require_length(self, length: int) -> None:
        """Raise `ValueError` for a length at which no tensor could be made."""
        if type(length) is not int or length < 1:
            raise ValueError(f"a length must be a whole number from 1, got {shown(length)}")
        count = self.batch * self.heads * max(length, self.queries or 0) * self.width
        if count > MOST:
            raise ValueError(
                f"a query of batch {self.batch}, {self.heads} heads, length {length} and width "
                f"{self.width} has {count:,} numbers, more than {MOST:,}: give smaller sizes"
            )

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as PyTorch has it."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    def _require_device(self) -> None:
        kind, _, number = self.device.partition(":")
        there = ["cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
        if "cuda:0" in there:
            there.insert(1, "cuda")
        if self.device not in there:
            said = "has no GPU that PyTorch sees" if kind == "cuda" and not number else "lacks it"
            raise ValueError(
                f"there is no device {shown(self.device)}: this machine {said}; give one of "
                f"{', '.join(there)}"
            )
