"""`regard bench`: speed, memory and error of mechanisms here, as a table and a chart."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from regard._io.files import write_whole
from regard._printable import printable
from regard.benching.bench import SECONDS, USUAL, Bench, bench
from regard.benching.mechanism import Mechanism, combined
from regard.benching.sizes import Sizes
from regard.benching.table import show
from regard.errors import UsageError

MANY = 64
"""Threads of a core; thousands more end the process in PyTorch."""


def run(
    mechanisms: Sequence[str],
    parts: Mapping[str, Sequence[str]],
    sizes: Mapping[str, Any],
    lengths: Sequence[int],
    backward: bool,
    seconds: float | None,
    tune: bool,
    threads: int | None,
    json: Path | None,
    chart: Path | None,
) -> int:
    """Print the table, write what is asked for; returns 1 when something is wrong or all failed.

    Args:
        tune: measure the machine instead, for the planner.

    Raises `UsageError` for names that are not there, sizes that make no call, and files that cannot
    be written.
    """
    if tune:
        return _tune(seconds, named=[*mechanisms, *(n for names in parts.values() for n in names)])
    for option, path in (("--json", json), ("--chart", chart)):
        _require_folder(option, path)
    with _threads(threads):
        try:
            chosen, made = _chosen(mechanisms, parts), Sizes(**sizes)
            time = SECONDS if seconds is None else seconds
            found = bench(*chosen, lengths=lengths, sizes=made, backward=backward, seconds=time)
        except ValueError as error:
            raise UsageError(str(error)) from None
    # A pipe has no width: nothing is wrapped there.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    show(found, console)
    _write(found, json, chart, console)
    failed = all(row.seconds is None for row in found.rows)
    return 1 if failed or any(row.wrong for row in found.rows) else 0


def _tune(seconds: float | None, named: Sequence[str]) -> int:
    """Measure the machine's rates and say what was found; the planner reads the file."""
    if named:
        raise UsageError(f"--tune measures the machine, not mechanisms: leave {named[0]} out")
    tuning = import_module("regard._backends._tuning")
    given = {} if seconds is None else {"seconds": seconds}
    path = tuning.tune(told=lambda line: print(printable(line), flush=True), **given)
    print(printable(f"rates: {path}"))
    return 0


def _chosen(mechanisms: Sequence[str], parts: Mapping[str, Sequence[str]]) -> list[Mechanism]:
    given = any(parts.values())
    return combined(mechanisms or ([] if given else USUAL), parts)


def _write(found: Bench, json: Path | None, chart: Path | None, console: Console) -> None:
    if json is not None:
        write_whole(json, found.json().encode() + b"\n")
        console.print(f"numbers: {json}", soft_wrap=True, markup=False)
    if chart is not None and any(row.seconds is not None for row in found.rows):
        write_whole(chart, found.svg().encode())
        console.print(f"chart: {chart}", soft_wrap=True, markup=False)


def _require_folder(option: str, path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir() or not path.name:
        raise UsageError(f"{option} {path} cannot be written: it is a folder; give a file's name")
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} {path} cannot be written: it is no file; give a file's name")
    if not path.resolve().parent.is_dir():
        raise UsageError(f"{option} {path} cannot be written: there is no folder {path.parent}")


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads of PyTorch for a while."""
    before, cores = torch.get_num_threads(), os.cpu_count() or 1
    if count is not None and count > MANY * cores:
        raise UsageError(
            f"--threads {count} on {cores} core{'s' if cores > 1 else ''}: give at most "
            f"{MANY * cores}, and no more than the cores to measure anything"
        )
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
