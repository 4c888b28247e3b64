"""Any part, a few queries at a time: O(chunk × k_len) memory, forward and backward.

Each chunk is checkpointed, so the backward pass computes its scores again instead of keeping them;
derivatives of every order come from autograd.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from regard._backends._call import Call, is_transformed, repeat_heads
from regard._backends._cost import Cost, dense_cost, pair_width
from regard._typing import Normalizer

# Size of a chunk's largest array. glibc maps arrays above 32 MB by themselves and gives them back;
# smaller ones it keeps in a heap, where the graph's small objects that outlive a chunk end up in
# the gaps, so that no gap fits the next chunk and the heap grows to the size of the whole matrix.
CHUNK_BYTES = 34 << 20


def refusals(call: Call) -> Iterator[str]:
    """It serves everything."""
    return iter(())


def cost(call: Call) -> Cost:
    return dense_cost(call, rows_in_memory=chunk_rows(call))


def chunk_rows(call: Call) -> int:
    """How many queries make the largest array of a chunk as large as it should be."""
    lead = call.query.shape[0] * call.query.shape[1]
    row_bytes = lead * call.k_len * call.exact.itemsize * pair_width(call)
    return max(1, min(call.q_len, -(-CHUNK_BYTES // max(1, row_bytes))))


def run(call: Call) -> Tensor:
    rows = chunk_rows(call)
    key = repeat_heads(call.key, call.groups).to(call.exact)
    value = repeat_heads(call.value, call.groups).to(call.exact)
    if rows >= call.q_len:
        return _attend(call, call.query, key, value, 0)
    chunks = [
        _chunk(call, call.query[:, :, start : start + rows], key, value, start)
        for start in range(0, call.q_len, rows)
    ]
    return torch.cat(chunks, dim=2)


def _chunk(call: Call, query: Tensor, key: Tensor, value: Tensor, start: int) -> Tensor:
    """One chunk, which is computed again in the backward pass, with the same random numbers."""
    if not torch.is_grad_enabled() or is_transformed():
        return _attend(call, query, key, value, start)
    return checkpoint(_attend, call, query, key, value, start, use_reentrant=False)


def _attend(call: Call, query_BHQD: Tensor, key: Tensor, value: Tensor, start: int) -> Tensor:
    """The output for some queries, the first of which is the call's query `start`."""
    weights = weigh(call, query_BHQD, key, start)
    weights = torch.dropout(weights, call.dropout, train=call.dropout > 0)
    return (weights @ value).to(query_BHQD.dtype)


def weigh(call: Call, query_BHQD: Tensor, key: Tensor, start: int) -> Tensor:
    """The weights `[B, H, chunk, K]` of these queries."""
    stop = start + query_BHQD.shape[-2]
    b, h, q, k = call.indices_of(start, stop)
    scores = call.scored(query_BHQD.to(call.exact), key)
    scores = call.modified(scores, b, h, q, k)
    where = None if call.mask is None else call.permitted(b, h, q, k)
    return _normalizer_at(call, start, stop)(scores, where)


def _normalizer_at(call: Call, start: int, stop: int) -> Normalizer:
    at = getattr(call.normalizer, "at", None)
    if at is None or stop - start == call.q_len:
        return call.normalizer
    return at(slice(None), slice(start, stop))
