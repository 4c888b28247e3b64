"""Any part, a few queries at a time: O(chunk × k_len) memory, forward and backward.

Each chunk is checkpointed, so the backward pass computes its scores again instead of keeping them;
derivatives of every order come from autograd.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from regard._backends._call import Call, repeat_heads
from regard._backends._cost import Cost, dense_cost, pair_width
from regard._typing import Normalizer

CHUNK_BYTES = 1 << 25  # scores and their workspace held at a time: what stays in a last-level cache


def refusals(call: Call) -> Iterator[str]:
    """It serves everything."""
    return iter(())


def cost(call: Call) -> Cost:
    return dense_cost(call, rows_in_memory=chunk_rows(call))


def chunk_rows(call: Call) -> int:
    """How many queries fit into the workspace, at least one."""
    lead = call.query.shape[0] * call.query.shape[1]
    row_bytes = lead * call.k_len * call.exact.itemsize * (2 + pair_width(call))
    return max(1, min(call.q_len, CHUNK_BYTES // max(1, row_bytes)))


def run(call: Call) -> Tensor:
    rows = chunk_rows(call)
    key = repeat_heads(call.key, call.groups).to(call.exact)
    value = repeat_heads(call.value, call.groups).to(call.exact)
    if rows >= call.q_len:
        return _attend(call, call.query, key, value, 0)
    again = call.needs_grad
    chunks = []
    for start in range(0, call.q_len, rows):
        query = call.query[:, :, start : start + rows]
        if again:
            chunk = checkpoint(
                _attend, call, query, key, value, start,
                use_reentrant=False, preserve_rng_state=is_random(call),
            )  # fmt: skip
        else:
            chunk = _attend(call, query, key, value, start)
        chunks.append(chunk)
    return torch.cat(chunks, dim=2)


def is_random(call: Call) -> bool:
    """Whether computing a chunk again must draw the same random numbers again."""
    return call.dropout > 0 or getattr(call.normalizer, "random", False)


def _attend(call: Call, query_BHQD: Tensor, key: Tensor, value: Tensor, start: int) -> Tensor:
    """The output for some queries, the first of which is the call's query `start`."""
    weights = weigh(call, query_BHQD, key, start)
    weights = torch.dropout(weights, call.dropout, train=call.dropout > 0)
    return (weights @ value).to(query_BHQD.dtype)


def weigh(call: Call, query_BHQD: Tensor, key: Tensor, start: int) -> Tensor:
    """The weights `[B, H, chunk, K]` of these queries."""
    stop = start + query_BHQD.shape[-2]
    b, h, q, k = call.indices_of(start, stop)
    scores = call.score(query_BHQD.to(call.exact), key)
    scores = call.modified(scores, b, h, q, k)
    where = None if call.mask is None else call.permitted(b, h, q, k)
    return _normalizer_at(call, start, stop)(scores, where)


def _normalizer_at(call: Call, start: int, stop: int) -> Normalizer:
    at = getattr(call.normalizer, "at", None)
    if at is None or stop - start == call.q_len:
        return call.normalizer
    return at(slice(None), slice(start, stop))
