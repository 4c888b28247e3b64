"""Any part, a few queries at a time: O(chunk × k_len) memory, forward and backward.

Of the keys those are read that a chunk may see, where the mask tells (`_spans.py`). Each chunk is
checkpointed, so the backward pass computes its scores again instead of keeping them; derivatives of
every order come from autograd.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from regard._backends._call import Call, repeat_heads
from regard._backends._cells import Cells, Met, together
from regard._backends._cost import Cost, dense_cost, dense_seconds, pair_width
from regard._backends._held import changes_as_it_runs, is_known, takes_some_rows, tensors_of
from regard._backends._rates import Rates
from regard._backends._spans import SPARE, Piece, intervals, may_narrow, pieces
from regard._torch_private import is_forward_mode, is_jit_traced, is_static, is_transformed
from regard._typing import Normalizer

Attend = Callable[[Call, Tensor, Tensor, Tensor, Piece], Tensor]
Serve = Callable[[Call, Tensor, Met, Met, Piece], Tensor]

# Size of a chunk's largest array. glibc maps arrays above 32 MB by themselves and gives them back;
# smaller ones it keeps in a heap, where the graph's small objects that outlive a chunk end up in
# the gaps, so that no gap fits the next chunk and the heap grows to the size of the whole matrix.
CHUNK_BYTES = 34 << 20


masks_first = True
uses_dot_form = False
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """It serves everything."""
    return iter(())


def reservations(call: Call) -> Iterator[str]:
    return iter(())


def seconds(call: Call, rates: Rates) -> float:
    chunks = cut(call)
    met, held = sum(chunk.pairs for chunk in chunks), max(chunk.pairs for chunk in chunks)
    return dense_seconds(call, rates, met, held, len(chunks))


def cost(call: Call) -> Cost:
    chunks = cut(call)
    return dense_cost(
        call, sum(chunk.pairs for chunk in chunks), max(chunk.pairs for chunk in chunks)
    )


def cut(call: Call) -> list[Piece]:
    """The chunks of a call, one at least: queries, and the keys that these meet."""
    rows, lead = chunk_rows(call), call.lead
    if may_narrow(call) and has_chunks(call):
        each = max(1, lead * pair_width(call))
        found = intervals(call) if each * call.q_len * call.k_len > 4 * SPARE else None
        if found is not None:
            return list(pieces(*found, each, rows * call.k_len))
    if not has_chunks(call) or rows >= call.q_len:
        return [Piece(0, call.q_len, 0, call.k_len)]
    return [
        Piece(start, min(start + rows, call.q_len), 0, call.k_len)
        for start in range(0, call.q_len, rows)
    ]


def chunk_rows(call: Call) -> int:
    """How many queries that meet all keys make a chunk's largest array as large as it should be."""
    return min(call.q_len, _fitting_rows(call)) if has_chunks(call) else call.q_len


def _fitting_rows(call: Call) -> int:
    lead = call.lead
    row_bytes = lead * call.k_len * call.exact.itemsize * pair_width(call)
    return max(1, -(-CHUNK_BYTES // max(1, row_bytes)))


def has_chunks(call: Call) -> bool:
    """Whether the call may be cut: not if that would bind a graph to a length, or change a part.

    A part that changes as it runs, such as a score with spectral norm in training, is called once;
    a normalizer that does not say what it is for some rows (`at`) sees all of them.
    """
    lengths = (call.q_len, call.k_len, call.query.shape[0])
    if is_jit_traced() or not all(is_static(length) for length in lengths):
        return False
    if torch.compiler.is_compiling():
        return True
    return takes_some_rows(call.normalizer) and not any(map(changes_as_it_runs, call.parts))


def run(call: Call) -> Tensor:
    """`dropout(weights) @ value`, some queries at a time."""
    return in_chunks(call, attend)


def in_chunks(call: Call, attend: Attend) -> Tensor:
    """What `attend` makes of some queries at a time, with keys and values in the exact dtype."""
    chunks = cut(call)
    key = repeat_heads(call.key, call.groups).to(call.exact)
    value = repeat_heads(call.value, call.groups).to(call.exact)
    if chunks == [Piece(0, call.q_len, 0, call.k_len)]:
        return attend(call, call.query, key, value, chunks[0])
    fits = sum(chunk.pairs for chunk in chunks) <= _fitting_rows(call) * call.k_len
    if torch.is_grad_enabled() and not (fits or is_transformed() or is_forward_mode()):
        serve = _recomputed(call, attend)
    else:
        serve = _joined(attend)
    queries = call.query.split([chunk.stop - chunk.start for chunk in chunks], 2)
    keys, values = Cells(key, chunks), Cells(value, chunks)
    found = [
        serve(call, query, keys.of(chunk), values.of(chunk), chunk)
        for query, chunk in zip(queries, chunks, strict=True)
    ]
    return torch.cat(found, dim=2)


def _joined(attend: Attend) -> Serve:
    return lambda call, query, keys, values, chunk: attend(
        call, query, together(keys), together(values), chunk
    )


def _recomputed(call: Call, attend: Attend) -> Serve:
    """One chunk, which is computed again in the backward pass, with the same random numbers."""
    if torch.compiler.is_compiling():
        return partial(checkpoint, _joined(attend), use_reentrant=False)
    before = _versions(call)
    foreign = not all(is_known(part) for part in call.parts)

    def checked(call: Call, query: Tensor, keys: Met, values: Met, chunk: Piece) -> Tensor:
        first: list[Tensor] = []

        def again(query: Tensor, *cells: Tensor) -> Tensor:
            if _versions(call) != before:
                raise RuntimeError(_CHANGED)
            key, value = together(cells[: len(keys)]), together(cells[len(keys) :])
            output = attend(call, query, key, value, chunk)
            if not foreign:
                return output
            if not first:
                first.append(output.detach())
            elif not torch.allclose(first[0], output, rtol=1e-5, atol=1e-6, equal_nan=True):
                raise RuntimeError(_CHANGED)
            return output

        # A function may depend on anything: its second output is compared with its first, which an
        # early stop would not reach.
        with set_checkpoint_early_stop(not foreign):
            return checkpoint(again, query, *keys, *values, use_reentrant=False)

    return checked


_CHANGED = (
    "a part of this attention call (score, score_mod, mask or normalizer) was modified between its "
    "forward and its backward pass, which computes from it again: call backward() first, or give "
    "the part a copy of its tensors."
)


def _versions(call: Call) -> list[tuple[int, int]]:
    """Which tensors the parts hold, and how often each was written to."""
    return [
        (id(tensor), tensor._version)
        for part in call.parts
        for tensor in tensors_of(part)
        if not tensor.is_inference()
    ]


def attend(call: Call, query_BHQD: Tensor, key: Tensor, value: Tensor, chunk: Piece) -> Tensor:
    """The output for some queries and the keys that they meet."""
    weights = weigh(call, query_BHQD, key, chunk)
    if call.dropout > 0:
        weights = torch.dropout(weights, call.dropout, train=True)
    return (weights @ value.to(weights.dtype)).to(query_BHQD.dtype)


def weigh(call: Call, query_BHQD: Tensor, key: Tensor, chunk: Piece) -> Tensor:
    """The weights `[B, H, chunk, met]` of these queries."""
    scores, where = scored(call, query_BHQD, key, chunk)
    return call.normalized(_normalizer_at(call, chunk.start, chunk.stop), scores, where)


def scored(
    call: Call, query_BHQD: Tensor, key: Tensor, chunk: Piece
) -> tuple[Tensor, Tensor | None]:
    """The scores `[B, H, chunk, met]` of these queries, and which pairs are permitted."""
    pairs = indices(call, key, chunk)
    scores = call.modified(call.scored(query_BHQD.to(call.exact), key), *pairs)
    return scores, None if call.mask is None else call.permitted(*pairs)


def indices(call: Call, key: Tensor, chunk: Piece) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`b h q k` of a chunk and the keys that it meets."""
    b, h, q, k = call.indices_of(chunk.start, chunk.stop)
    return b, h, q, k[..., chunk.first : chunk.last] if key.shape[2] != call.k_len else k


def _normalizer_at(call: Call, start: int, stop: int) -> Normalizer:
    at = getattr(call.normalizer, "at", None)
    if at is None or stop - start == call.q_len:
        return call.normalizer
    return at(slice(None), slice(start, stop))
