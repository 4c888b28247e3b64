"""How the benchmarks measure: two ways of doing one thing, side by side in one process, as a ratio.

Machines drift, so the two take turns and the medians are compared; memory is the growth of a fresh
process's high-water mark, the inputs not counted.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def side_by_side(
    ours: Callable,
    theirs: Callable,
    seconds: float = 4.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of both and how many times faster ours is, taking turns for some seconds.

    On a machine that others use, `clock` leaves out what they take from one thread.
    """
    ours(), theirs()
    repeat = 1
    while _clock(ours, repeat, clock) < 0.002:
        repeat *= 2
    times: dict[Callable, list[float]] = {ours: [], theirs: []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[ours]) < 3:
        for run in (ours, theirs):
            times[run].append(_clock(run, repeat, clock) / repeat)
    a, b = statistics.median(times[ours]), statistics.median(times[theirs])
    return {"ours_s": a, "theirs_s": b, "ratio": b / a}


def median_seconds(
    run: Callable, times: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median seconds of one thing alone, for growth with length."""
    run()
    return statistics.median(_clock(run, 1, clock) for _ in range(times))


def _clock(run: Callable, repeat: int, clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    for _ in range(repeat):
        run()
    return clock() - start


def peak_bytes(run: Callable, *arguments) -> int:
    """How far a fresh process grows while it runs `run(*arguments)()`, the inputs not counted."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_grow, args=(there, run, arguments))
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"  # glibc: give freed tensors back at once
    child.start()
    del os.environ["MALLOC_MMAP_THRESHOLD_"]
    there.close()
    grown = here.recv()
    child.join()
    return grown


def _grow(pipe, run: Callable, arguments: tuple) -> None:
    work = run(*arguments)
    before = _high_water()
    work()
    pipe.send(_high_water() - before)


def _high_water() -> int:
    """The most this process ever held; getrusage would start from what its parent held."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def timing_options(doc: str, seconds: float, **flags: str) -> argparse.Namespace:
    """What a script that compares timings is told, also by flags of its own with their help.

    It then runs on as many threads as it is told, one by default.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=seconds, help="per comparison")
    parser.add_argument("--threads", type=int, default=1, help="of this process")
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    for name, what in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=what)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def clock() -> float:
    """Seconds of the process's own clock where it has one thread, else those of the wall's.

    The first leaves out what others take of a processor; with several threads it would sum them.
    """
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def save_timings(
    options: argparse.Namespace, name: str, rows: list[dict[str, Any]], **more: object
) -> None:
    """Write the rows, unless told not to; those of several threads beside those of one."""
    if options.dry_run:
        return
    name = name if options.threads == 1 else f"{name}_{options.threads}_threads"
    print(f"written to {save(name, rows, load=os.getloadavg(), **more)}")


def forget_high_water() -> None:
    """Let the most this process ever held be what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: resets VmHWM


def machine() -> dict[str, object]:
    """What the numbers were taken on."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": names[0] if names else platform.processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
    }


def rows_of(name: str) -> list[dict[str, Any]]:
    """The rows that earlier runs of a script have saved."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def save_ways(
    name: str, rows: list[dict[str, Any]], train: Callable, ways: str, seeds: str
) -> None:
    """Train every way with every seed that has no row yet, and save after each.

    Whole runs of the library (`library`) that the results hold beside the rows are kept.

    Args:
        train: makes the row of a way and a seed.
        ways: their names, `;` between them.
        seeds: with commas between them.
    """
    path = RESULTS / f"{name}.json"
    library = json.loads(path.read_text()).get("library", []) if path.exists() else []
    for seed in map(int, seeds.split(",")):
        for way in ways.split(";"):
            if any((row["way"], row["seed"]) == (way, seed) for row in rows):
                continue
            rows.append(train(way, seed))
            save(name, rows, library=library)
            print({k: v for k, v in rows[-1].items() if k != "valid_curve"}, flush=True)


def save(name: str, rows: list[dict[str, Any]], **more: object) -> Path:
    """Write the rows beside the machine they were taken on."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), **more, "rows": rows}, indent=1) + "\n")
    return path
