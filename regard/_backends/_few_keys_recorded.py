"""Attention whose weights are few, as an operation of recorded graphs.

What has weight is known only when numbers are: to a graph it is a length of its own, which nothing
else depends on. So the backward pass is given it, as that of an eager call is.
"""

from functools import reduce
from operator import and_
from typing import Any

import torch
from torch import Tensor

from regard._backends import _few_keys
from regard._backends._call import Call
from regard._backends._intervals import between_ends, ends_of, interval_of
from regard._backends._operation import operation
from regard._backends._structure import conjuncts
from regard._kernels.in_memory import in_memory
from regard._kernels.sparse_rows import Kept, Rule
from regard._torch_private import size_that_numbers_tell
from regard._typing import MaskMod
from regard.masks import Dense
from regard.normalizers import softmax
from regard.score_mods import Bias
from regard.scores import ScaledDot


def run(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float, most: int, call: Call
) -> Tensor:
    """The output of float32 vectors under the mask and the bias of a call."""
    runs: list[MaskMod] = []
    others: list[MaskMod] = []
    for part in conjuncts(call.mask):
        (runs if interval_of(part, call, recorded=True).is_run else others).append(part)
    ends = ends_of(call.where(mask=reduce(and_, runs)), recorded=True) if runs else None
    mask = call.where(mask=reduce(and_, others)).permitted(*call.indices) if others else None
    bias = None
    if call.score_mod is not None:
        zero = torch.zeros((1, 1, 1, 1), dtype=torch.float32)
        bias = call.modified(zero, *call.indices)
    # A plain number that changes from call to call would have the graph recorded for each.
    number = torch.full((), alpha, dtype=torch.float64)
    keeps = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    output: Tensor = _recorded(query, key, value, scale, number, most, ends, mask, bias, keeps)[0]
    return output


def _asked(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: Tensor, most: int,
    ends: Tensor | None, mask: Tensor | None, bias: Tensor | None,
) -> _few_keys.Asked:  # fmt: skip
    seen: MaskMod | None = None if mask is None else Dense(mask).aligned(0)
    if ends is not None:
        met = between_ends(ends)
        seen = met if seen is None else met & seen
    call = Call(
        query, key, value, ScaledDot(scale), None if bias is None else Bias(bias).aligned(0), seen,
        softmax, 0.0, 0,
    )  # fmt: skip
    shared = (ends is None or len(ends[0]) == 1) and (mask is None or mask.shape[:2] == (1, 1))
    return _few_keys.Asked.of(call, scale, Rule.of(float(alpha), most), shared)


def _forward(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: Tensor, most: int,
    ends: Tensor | None, mask: Tensor | None, bias: Tensor | None, keeps: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    if 0 in (*query.shape[:3], key.shape[2]):
        outputs = _of_shapes(query, key, value, keeps, 0)
        for one in outputs:
            one.zero_()
        return outputs
    asked = _asked(query, key, value, scale, alpha, most, ends, mask, bias)
    query, key, value = in_memory(query), in_memory(key), in_memory(value)
    output, kept = _few_keys.forward(query, key, value, asked, keeps=keeps)
    output = output if asked.call.mask is not None else _few_keys.marked(output, value)
    if not keeps:
        return _of_shapes(query, key, value, keeps, 0, output)
    return output, kept.weights, kept.places, kept.starts, kept.counts


def _shapes(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: Tensor, most: int,
    ends: Tensor | None, mask: Tensor | None, bias: Tensor | None, keeps: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    batch, heads, q_len, _ = query.shape
    size = size_that_numbers_tell(batch * heads * q_len * key.shape[2]) if keeps else 0
    return _of_shapes(query, key, value, keeps, size)


def _of_shapes(
    query: Tensor, key: Tensor, value: Tensor, keeps: bool, size: Any, output: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """An output, and what is kept of so many keys with weight, all in all; empty if nothing is."""
    batch, heads, q_len, _ = query.shape
    shared = heads // max(1, key.shape[1])
    rows = (batch * key.shape[1], shared, q_len) if keeps else (0,)
    if output is None:
        output = query.new_empty(batch, heads, q_len, value.shape[3])
    weights, places = query.new_empty(size), query.new_empty(size, dtype=torch.int32)
    starts, counts = (query.new_empty(rows, dtype=torch.int64) for _ in range(2))
    return output, weights, places, starts, counts


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: Tensor,
    most: int, ends: Tensor | None, mask: Tensor | None, bias: Tensor | None, keeps: bool,
    weights: Tensor, places: Tensor, starts: Tensor, counts: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    if 0 in (*query.shape[:3], key.shape[2]):
        return torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
    asked = _asked(query, key, value, scale, alpha, most, ends, mask, bias)
    query, key, value = in_memory(query), in_memory(key), in_memory(value)
    kept = Kept(weights, places, starts, counts)
    of_query, of_key, of_value, _ = _few_keys.backward(
        in_memory(upstream), query, key, value, asked, kept
    )
    if of_query is None:
        return torch.zeros_like(query), torch.zeros_like(key), of_value
    return of_query, of_key, of_value


_recorded = operation(
    "few_keys", _forward, _backward, _shapes, gradients=(0, 1, 2), kept=(1, 2, 3, 4)
)
