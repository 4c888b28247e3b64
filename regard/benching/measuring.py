"""One length of a benchmark: every pass judged first, then all of them timed in turns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regard._printable import shortened
from regard.benching import attention_case, block_case
from regard.benching.case import Pass
from regard.benching.floor import Limits
from regard.benching.judging import is_wrong
from regard.benching.mechanism import Mechanism
from regard.benching.sizes import Sizes
from regard.benching.timing import available_bytes, medians, peak_bytes
from regard.errors import UnsupportedByBackend

SLOWEST = 1.0
"""Times its share of the seconds that one call may take, by the planner's prediction."""


@dataclass
class Row:
    """One pass of one mechanism at one length; None was not measured, `fault` says why.

    Args:
        seconds: the median; `rival_seconds` that of `rival`, which computes the same.
        peak_bytes: peak memory beyond query, key and value.
        error: the largest difference from float64, of the output or, with a backward pass, of any
            gradient; `of_naive` is its ratio to that of the definition in the same dtype.
        floor_seconds: a lower bound for any computation of it on this machine.
    """

    mechanism: str
    length: int
    passed: str
    backend: str = ""
    seconds: float | None = None
    rival: str | None = None
    rival_seconds: float | None = None
    peak_bytes: int | None = None
    error: float | None = None
    of_naive: float | None = None
    floor_seconds: float | None = None
    fault: str = ""
    wrong: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times faster it is than its rival."""
        if self.seconds is None or self.rival_seconds is None:
            return None
        return self.rival_seconds / self.seconds


def rows_at(
    chosen: Sequence[Mechanism],
    sizes: Sizes,
    length: int,
    backward: bool,
    seconds: float,
    limits: Limits,
) -> list[Row]:
    """The rows of one length, measured for so many seconds; what cannot be is told in its row."""
    rows: list[Row] = []
    able: list[tuple[Row, Pass]] = []
    for one in chosen:
        try:
            for each in _passes(one, sizes, length, backward):
                rows.append(Row(str(one), length, each.name, each.backend))
                rows[-1].floor_seconds = limits.floor(each.work)
                _judge(rows[-1], each, sizes.device, seconds / len(chosen))
                if not rows[-1].fault:
                    able.append((rows[-1], each))
        except (ValueError, TypeError, RuntimeError, UnsupportedByBackend) as error:
            rows.append(Row(str(one), length, "forward", fault=shortened(str(error), 300)))
    _time(able, sizes.device, seconds)
    return rows


def _passes(one: Mechanism, sizes: Sizes, length: int, backward: bool) -> Iterator[Pass]:
    home = attention_case if one.block is None else block_case
    return home.passes(one, sizes, length, backward)


def _judge(row: Row, each: Pass, device: str, share: float) -> None:
    """Compare with float64 what memory and time allow to be run."""
    row.fault = _too_large(each.needed, device) or _too_slow(each.predicted, share)
    if row.fault:
        return
    if each.judge is not None:
        found = each.judge()
        row.error, row.of_naive = found
        row.wrong = is_wrong(found, each.backward)
        if row.wrong:
            row.fault = f"wrong by {found.largest:.2g}, {found.of_naive:.3g} times the naive error"
            return
    row.peak_bytes = peak_bytes(each.run, device)


def _time(able: Sequence[tuple[Row, Pass]], device: str, seconds: float) -> None:
    """Let all of them, and what they are compared with, take turns."""
    sides = [(row, "seconds", each.run) for row, each in able]
    for row, each in able:
        if each.rival is None or _too_large(each.rival.needed, device):
            continue
        if not _too_slow(each.rival.predicted, seconds / len(able)):
            row.rival = each.rival.name
            each.rival.run()
            sides.append((row, "rival_seconds", each.rival.run))
    if sides:
        times = medians([run for _, _, run in sides], seconds, device)
        for (row, name, _), found in zip(sides, times, strict=True):
            setattr(row, name, found)


def _too_large(needed: int, device: str) -> str:
    free = available_bytes(device)
    if free is None or needed < free:
        return ""
    return f"it does not fit into memory (about {_gb(needed)} of {_gb(free)}): give shorter lengths"


def _too_slow(predicted: float | None, share: float) -> str:
    if predicted is None or predicted < SLOWEST * share:
        return ""
    return (
        f"one call takes too long for the time there is (about {predicted:.2g} s): give shorter "
        "lengths or more seconds"
    )


def _gb(number: int) -> str:
    return f"{number / 1e9:.3g} GB"
