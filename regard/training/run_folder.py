"""The folder of a run, never another run's, and logs that survive a crash."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from regard._io.faults import writing
from regard._io.files import MAX_JSON_BYTES, read_json, write_whole

CHECKPOINTS, BEST, ENVIRONMENT = "checkpoints", "best", "environment.json"
RUNS = "runs"
"""Where runs are put that are not told where."""
METRICS, SAMPLES, CONFUSION = "metrics.jsonl", "samples.jsonl", "confusion.json"


def new_run_folder(wanted: Path) -> Path:
    """Create the folder `wanted`, or the first free one of `wanted-2`, `wanted-3` and so on.

    An existing folder is another run's and stays untouched, even if empty.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("count() never ends")


class Journal:
    """`metrics.jsonl` and `samples.jsonl` of a run, one line of JSON at a time.

    A number that is not finite is written as null, because JSON cannot represent it.

    Args:
        folder: of the run, or None to write nothing (on all processes but the main one).
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def log(self, kind: str, **entries: object) -> None:
        """Append one line to `metrics.jsonl`."""
        self._append(METRICS, {"kind": kind, **entries})

    def samples(self, step: int, epoch: float, samples: Sequence[Mapping[str, Any]]) -> None:
        """Append the answers to the fixed examples to `samples.jsonl`."""
        self._append(SAMPLES, {"step": step, "epoch": epoch, "samples": list(samples)})

    def confusion(
        self, split: str, step: int, labels: Sequence[str], counts: Sequence[Sequence[int]]
    ) -> None:
        """Replace the confusions of a split's labels.

        `confusion.json` has the latest of each split, each count as [label, answer, count].
        """
        if self.folder is None:
            return
        cells = [[i, j, n] for i, row in enumerate(counts) for j, n in enumerate(row) if n]
        path = self.folder / CONFUSION
        try:
            known = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            known = {}  # There is none yet, or what is damaged is written anew.
        entries = {"step": step, "labels": list(labels), "counts": cells}
        whole = (known if isinstance(known, dict) else {}) | {split: entries}
        with writing(path):
            write_whole(path, (json.dumps(whole) + "\n").encode())

    def rewind(self, step: int) -> None:
        """Drop what was written after this step, and a last line truncated by a crash."""
        if self.folder is None:
            return
        for name in (METRICS, SAMPLES):
            path = self.folder / name
            if name == SAMPLES and not path.exists():
                continue  # Not every caller has some; a log every run has.
            kept = [line for line in _whole_lines(path) if _step_of(line) <= step]
            with writing(path):
                write_whole(path, b"".join(kept))

    def _append(self, name: str, entries: Mapping[str, object]) -> None:
        if self.folder is not None:
            line = json.dumps(_finite(entries), ensure_ascii=False) + "\n"
            with writing(self.folder / name) as path, open(path, "a", encoding="utf-8") as file:
                file.write(line)


def logged(path: Path) -> list[dict[str, Any]]:
    """The entries of a log that another process may be writing; a damaged line is left out."""
    return [entry for entry in map(_entry, _whole_lines(path)) if entry is not None]


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The lines that have an end, which the one being written has not."""
    if path.is_file():
        with open(path, "rb") as file:
            # Of a line longer than may be read, the last part is no JSON and is left out.
            while line := file.readline(MAX_JSON_BYTES):
                if line.endswith(b"\n"):
                    yield line


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = read_json(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("kind"), str) else None


def _step_of(line: bytes) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value
