"""What a call costs by its shape: operations, bytes moved, and bytes held at the peak."""

from dataclasses import dataclass

from regard._backends._call import Call

NORMALIZE_FLOPS = 8  # exponential, two reductions, a division: about this many per score


@dataclass(frozen=True)
class Cost:
    """Arithmetic operations, bytes read and written, bytes held beyond the inputs at the peak."""

    flops: int
    bytes: int
    peak_bytes: int


def pair_width(call: Call) -> int:
    """How many values the score holds for one (query, key) pair before it has the score."""
    width = getattr(call.score, "pair_width", None)
    return width(call.query.shape[-1], call.key.shape[-1]) if width is not None else 1


def dense_cost(call: Call, rows_in_memory: int) -> Cost:
    """A pass that holds scores and weights of `rows_in_memory` queries at a time."""
    lead = call.query.shape[0] * call.query.shape[1]
    pairs = lead * call.q_len * call.k_len
    held = lead * min(rows_in_memory, call.q_len) * call.k_len
    wide = pair_width(call)
    size = call.exact.itemsize
    return Cost(
        flops=pairs * (2 * call.query.shape[-1] + 2 * call.value.shape[-1] + NORMALIZE_FLOPS),
        bytes=io_bytes(call) + 4 * pairs * size * max(1, wide // 2),
        peak_bytes=output_bytes(call) + held * size * (2 + wide),
    )


def fused_cost(call: Call, pairs_per_head: int, extra_bytes: int = 0) -> Cost:
    """A pass over `pairs_per_head` pairs with scores on chip; `extra_bytes` are materialized."""
    lead = call.query.shape[0] * call.query.shape[1]
    per_pair = 2 * call.query.shape[-1] + 2 * call.value.shape[-1] + NORMALIZE_FLOPS
    return Cost(
        flops=lead * pairs_per_head * per_pair,
        bytes=io_bytes(call) + 2 * extra_bytes,
        peak_bytes=output_bytes(call) + extra_bytes,
    )


def io_bytes(call: Call) -> int:
    """Reading query, key and value once and writing the output once."""
    tensors = (call.query, call.key, call.value)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) + output_bytes(call)


def output_bytes(call: Call) -> int:
    lead = call.query.shape[:-1].numel()
    return lead * call.value.shape[-1] * call.query.element_size()
