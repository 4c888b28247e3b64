"""Which pairs count: windows, lengths, documents and a boolean tensor, inside of a Triton kernel.

A query sees the keys from `query + low` to `query + high`; that alone says which blocks of keys a
block of queries meets, so that the others are never looked at. `q_ids` and `k_ids`, where given,
must be equal, and `mask` must be true. A bias is added to scores. Each is read in place, through
strides that are 0 where it is shared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import unwrap
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

VARYING = ["low", "high", "q_len", "k_len"]
"""Numbers that differ from call to call, for which no kernel of their own is compiled."""


def kernel(function: Callable[..., None]) -> Any:
    """A kernel, one for every length."""
    # What checks shapes in tests wraps every function, and Triton compiles none that is wrapped.
    return triton.jit(do_not_specialize=VARYING)(unwrap(function))


def inline(function: Callable[..., Any]) -> Any:
    """What kernels call."""
    return triton.jit(unwrap(function))


@dataclass(frozen=True)
class Pattern:
    """The mask and the bias of a call `[B, H, Q, K]`, as kernels read them."""

    low: int
    high: int
    q_ids: Tensor | None = None  # [B or 1, Q]
    k_ids: Tensor | None = None  # [B or 1, K]
    mask: Tensor | None = None  # bytes, four dimensions, 1 where shared
    bias: Tensor | None = None  # float32, likewise

    def rows(self, start: int, stop: int) -> "Pattern":
        """The same for some of the queries."""
        cut = slice(start, stop)
        return replace(
            self,
            low=self.low + start,
            high=self.high + start,
            q_ids=None if self.q_ids is None else self.q_ids[:, cut],
            mask=_rows(self.mask, cut),
            bias=_rows(self.bias, cut),
        )

    def arguments(self) -> dict[str, Any]:
        """What a kernel is given."""
        q_ids_b, q_ids_q = _strides(self.q_ids, 2)
        k_ids_b, k_ids_k = _strides(self.k_ids, 2)
        mask_b, mask_h, mask_q, mask_k = _strides(self.mask, 4)
        bias_b, bias_h, bias_q, bias_k = _strides(self.bias, 4)
        return {
            "low": self.low, "high": self.high,
            "q_ids": self.q_ids, "q_ids_b": q_ids_b, "q_ids_q": q_ids_q,
            "k_ids": self.k_ids, "k_ids_b": k_ids_b, "k_ids_k": k_ids_k,
            "mask": self.mask, "mask_b": mask_b, "mask_h": mask_h,
            "mask_q": mask_q, "mask_k": mask_k,
            "bias": self.bias, "bias_b": bias_b, "bias_h": bias_h,
            "bias_q": bias_q, "bias_k": bias_k,
        }  # fmt: skip


def _rows(tensor: Tensor | None, cut: slice) -> Tensor | None:
    return tensor if tensor is None or tensor.shape[2] == 1 else tensor[:, :, cut]


def _strides(tensor: Tensor | None, dimensions: int) -> list[int]:
    """Steps from one entry to the next; none along what is shared."""
    if tensor is None:
        return [0] * dimensions
    return [
        0 if size == 1 else step for size, step in zip(tensor.shape, tensor.stride(), strict=True)
    ]


@inline
def permitted(  # type: ignore[no-untyped-def]
    q, k, q_len, k_len, low, high, b, h, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k,
):  # fmt: skip
    """Which pairs `[queries, keys]` of these positions in the call count."""
    apart = k[None, :] - q[:, None]
    yes = (apart >= low) & (apart <= high) & (q[:, None] < q_len) & (k[None, :] < k_len)
    wide_b, wide_h = b.to(tl.int64), h.to(tl.int64)
    if q_ids is not None:
        of_q = tl.load(q_ids + wide_b * q_ids_b + q * q_ids_q, mask=q < q_len, other=0)
        of_k = tl.load(k_ids + wide_b * k_ids_b + k * k_ids_k, mask=k < k_len, other=0)
        yes = yes & (of_q[:, None] == of_k[None, :])
    if mask is not None:
        at = mask + wide_b * mask_b + wide_h * mask_h
        at = at + q[:, None].to(tl.int64) * mask_q + k[None, :].to(tl.int64) * mask_k
        yes = yes & (tl.load(at, mask=yes, other=0) != 0)
    return yes


@inline
def added(q, k, yes, b, h, bias, bias_b, bias_h, bias_q, bias_k):  # type: ignore[no-untyped-def]
    """What is added to the scores of these pairs."""
    at = bias + b.to(tl.int64) * bias_b + h.to(tl.int64) * bias_h
    at = at + q[:, None].to(tl.int64) * bias_q + k[None, :].to(tl.int64) * bias_k
    return tl.load(at, mask=yes, other=0.0)


@inline
def first_of(start, low, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where the blocks begin that reach from `start + low` on."""
    return tl.maximum(start + low, 0) // BLOCK * BLOCK


@inline
def any_of(yes):  # type: ignore[no-untyped-def]
    """Whether any pair counts."""
    return tl.max(tl.max(yes.to(tl.int32), 1), 0) > 0


def rows_at_once(rows: int, programs: int, device: torch.device) -> int:
    """The size of a block: large ones read less, small ones leave no part of a GPU idle."""
    units = 1
    if device.type == "cuda":
        units = torch.cuda.get_device_properties(device).multi_processor_count
    for size in (64, 32):
        if rows > size // 2 and programs * -(-rows // size) >= 2 * units:
            return size
    return 16
