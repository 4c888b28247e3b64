"""What the ranks of a call tell each other before it: their sizes, and whether all is well.

Whatever is wrong is wrong on all ranks at once, so that none waits for one that has left.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist

from regard._backends._bind import FARTHEST
from regard._backends._call import Call
from regard._numbers import count
from regard._printable import shown
from regard.context.layout import Layout, require_tiling
from regard.context.spans import Spans

Given = TypeVar("Given")

MOST_SPANS = 16
"""Runs of places that a rank may have."""
ABSENT = -(1 << 62)
"""A number that was not given."""
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
GRADIENTS = ("query", "key", "value", "a part")
OWN = ("well", "q_len", "k_len", "spans")
SHARED = ("batch", "heads", "kv_heads", "head_dim", "key_dim", "value_dim", "dtype",
          "requires_grad", "q_offset", "spans")  # fmt: skip
"""What has to be the same on all ranks; of spans, whether they are given."""


def agree(
    check: Callable[[], Call],
    learned: bool,
    spans: Spans | None,
    q_offset: int | None,
    device: torch.device,
    group: dist.ProcessGroup | None,
) -> tuple[Call, Layout]:
    """The checked tensors of this rank, and where those of all ranks stand.

    Args:
        check: checks this rank's tensors.
        learned: whether a part holds a tensor that wants a gradient.

    Raises:
        ValueError: on every rank, where tensors or spans do not fit together, with both numbers.
    """

    def described() -> tuple[Call, list[int]]:
        call = _checked(check(), spans)
        return call, _header(call, learned, spans, q_offset)

    error, found = caught(described)
    call, told = found or (None, [0] * (len(OWN) + len(SHARED) + 2 * MOST_SPANS))
    heard = exchanged(told, device, group)
    require_all(error, [each[0] for each in heard])
    assert call is not None
    for number, name in enumerate(SHARED, len(OWN)):
        require_one(name, [_said(name, each[number]) for each in heard])
    return call, _layout(heard, spans is not None, q_offset, dist.get_rank(group))


def exchanged(
    numbers: Sequence[int], device: torch.device, group: dist.ProcessGroup | None
) -> list[list[int]]:
    """The numbers of all ranks, each as many, in the order of ranks."""
    own = torch.tensor(numbers, dtype=torch.int64, device=device)
    heard = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(heard, own, group=group)
    found: list[list[int]] = torch.stack(heard).tolist()
    return found


def caught(make: Callable[[], Given]) -> tuple[Exception | None, Given | None]:
    """What a check gives, or what it raises, which the others are told of first."""
    try:
        return None, make()
    except (ValueError, TypeError) as error:
        return error, None


def require_all(error: Exception | None, well: Sequence[int]) -> None:
    """Raise this rank's own error, or say which ranks have one."""
    if error is not None:
        raise error
    lost = [str(rank) for rank, is_well in enumerate(well) if not is_well]
    if lost:
        which = "rank" if len(lost) == 1 else "ranks"
        raise ValueError(
            f"{which} {', '.join(lost)} cannot take part in this call: the error raised there "
            "says why."
        )


def require_one(name: str, values: Sequence[object]) -> None:
    """Raise unless all ranks say the same."""
    for rank, value in enumerate(values):
        if value != values[0]:
            raise ValueError(
                f"the ranks disagree on {name}: rank 0 has {values[0]} but rank {rank} has "
                f"{value}; give all ranks the same parts, and tensors that differ in length alone."
            )


def _checked(call: Call, spans: Spans | None) -> Call:
    """The call, if its tensors have as many places as the spans."""
    if spans is None:
        return call
    if not _are_spans(spans):
        raise ValueError(
            f"spans must be at most {MOST_SPANS} pairs (start, length) of whole numbers from 0, "
            f"got {shown(spans)}."
        )
    total = sum(length for _, length in spans)
    if not total == call.q_len == call.k_len:
        raise ValueError(
            f"the spans have {total} places but query has q_len {call.q_len} and key has k_len "
            f"{call.k_len}: with spans, the queries and keys of a rank stand at the same places."
        )
    return call


def _are_spans(spans: object) -> bool:
    return (
        isinstance(spans, Sequence)
        and len(spans) <= MOST_SPANS
        and all(isinstance(run, Sequence) and len(run) == 2 for run in spans)
        and all(type(number) is int and 0 <= number < FARTHEST for run in spans for number in run)
    )


def _header(call: Call, learned: bool, spans: Spans | None, q_offset: int | None) -> list[int]:
    """All that the others have to know of this rank's call."""
    tensors = query, key, value = call.query, call.key, call.value
    wants = [*(tensor.requires_grad for tensor in tensors), learned]
    wanted = sum(want << n for n, want in enumerate(wants)) if torch.is_grad_enabled() else 0
    if q_offset is not None:
        hint = "it is the number of keys of all ranks before the first query"
        q_offset = count("context_parallel", "q_offset", q_offset, -FARTHEST, hint)
    places = [number for span in spans or () for number in span]
    return [
        1, call.q_len, call.k_len, len(spans or ()),
        *query.shape[:2], key.shape[1], query.shape[3], key.shape[3], value.shape[3],
        DTYPES.index(query.dtype), wanted,
        ABSENT if q_offset is None else q_offset, int(spans is not None),
        *places, *[0] * (2 * MOST_SPANS - len(places)),
    ]  # fmt: skip


def _said(name: str, number: int) -> object:
    """A number of a header as a message says it."""
    if name == "dtype":
        return DTYPES[number]
    if name == "requires_grad":
        return [each for n, each in enumerate(GRADIENTS) if number >> n & 1] or "nothing"
    if name == "spans":
        return "some" if number else "none"
    return None if number == ABSENT else number


def _layout(
    heard: Sequence[Sequence[int]], with_spans: bool, q_offset: int | None, rank: int
) -> Layout:
    if with_spans:
        numbers = [each[len(OWN) + len(SHARED) :][: 2 * each[3]] for each in heard]
        spans = [list(zip(own[::2], own[1::2], strict=True)) for own in numbers]
        require_tiling(spans)
        return Layout(rank, spans, spans)
    queries, keys = (_after([each[n] for each in heard]) for n in (1, 2))
    ahead = sum(n for _, n in keys) - sum(n for _, n in queries) if q_offset is None else q_offset
    return Layout(rank, [[(start + ahead, n)] for start, n in queries], [[run] for run in keys])


def _after(lengths: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of these lengths, one after the other."""
    found, start = [], 0
    for length in lengths:
        found.append((start, length))
        start += length
    return found
