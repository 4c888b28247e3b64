"""What a call costs by its shape: operations, bytes moved, bytes held at the peak, and seconds."""

from dataclasses import dataclass

from regard._backends._added import dots_of
from regard._backends._call import Call
from regard._backends._rates import Rates, normalizing, projecting
from regard._backends._structure import follows_from_numbers, leaves
from regard.masks import Padding

NORMALIZE_FLOPS = 8  # exponential, two reductions, a division: about this many per score
DROPOUT_PASSES = 8  # drawing a random number takes as long as several other operations
DISTANCE_PASSES = 10  # products with distances are looked up for every pair
MAPPED = 32 << 20  # bytes from which on glibc gives an array pages of its own
FAULTS = 2.5  # times longer it takes to write a number to a page of its own


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


def dense_cost(call: Call, pairs_per_head: int, held_per_head: int) -> Cost:
    """A pass over so many pairs that holds scores and weights of some at a time."""
    lead = call.lead
    pairs, held = lead * pairs_per_head, lead * held_per_head
    wide = pair_width(call)
    size = call.exact.itemsize
    return Cost(
        flops=pairs * (2 * call.query.shape[-1] + 2 * call.value.shape[-1] + NORMALIZE_FLOPS),
        bytes=io_bytes(call) + 4 * pairs * size * max(1, wide // 2),
        peak_bytes=output_bytes(call) + held * size * (2 + wide),
    )


def fused_cost(call: Call, pairs_per_head: int, extra_bytes: int = 0) -> Cost:
    """A pass over `pairs_per_head` pairs with scores on chip; `extra_bytes` are materialized."""
    lead = call.lead
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


def dense_seconds(
    call: Call, rates: Rates, pairs_per_head: int, held_per_head: int, goes: int = 1
) -> float:
    """Scores and weights of so many pairs as tensors, in so many goes, some held at a time."""
    batch, heads, _, width = call.query.shape
    pairs, wide = batch * heads * pairs_per_head, pair_width(call)
    steps, passes = normalizing(call.normalizer)
    steps, passes, numbers = steps + 10, passes + 1, 0
    if call.mask is not None:
        mask_steps, numbers = mask_work(call, pairs_per_head)
        steps, passes = steps + mask_steps, passes + 2
    if call.score_mod is not None:
        passes += 4
    dots = dots_of(call.score_mod)
    passes += DISTANCE_PASSES * len(dots)
    if call.dropout > 0:
        passes += DROPOUT_PASSES
    once, projected = 0, 0
    paired = call.value.shape[-1] + 2 * sum(dot.keys.shape[3] for dot in dots)
    if wide > 1:
        passes += 3 * wide
    else:
        once, projected = score_work(call)
        paired += width
    if call.query.dtype != call.exact:  # keys and values are cast, which is a quick operation
        projected += (call.key.numel() + call.value.numel()) // 2
    held = batch * heads * held_per_head * wide * call.exact.itemsize
    numbers += written(pairs * passes, held) + projected
    return rates.seconds(once + goes * steps, matmul=2 * pairs * paired, numbers=numbers)


def score_work(call: Call) -> tuple[int, int]:
    """Steps, and numbers written, for what a score makes of queries and keys, not of pairs."""
    steps = projecting(call.score)
    if steps == 0:
        return 0, 0
    return steps, 4 * (call.query.numel() + call.groups * call.key.numel())


def mask_work(call: Call, pairs: int) -> tuple[int, int]:
    """Steps, and numbers written, to ask the mask of so many pairs of a head."""
    asked = leaves(call.mask)
    steps = 5 + 4 * len(asked)
    if all(isinstance(leaf, Padding) for leaf in asked):
        return steps, 0
    batch = 1 if follows_from_numbers(call.mask) else call.query.shape[0]
    return steps, written((2 * len(asked) + batch) * pairs, 8 * pairs)


def written(numbers: int, array_bytes: int) -> int:
    """So many numbers, which count several times where each page written is one never seen."""
    return round(numbers * FAULTS) if array_bytes >= MAPPED else numbers
