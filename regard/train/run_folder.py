"""The folder of a run: never one that is already there, and a log that survives a crash."""

import json
from itertools import count
from pathlib import Path


def new_run_folder(wanted: Path) -> Path:
    """Make the folder `wanted`, or the first free of `wanted-2`, `wanted-3` and so on.

    A folder that exists is another run's and stays untouched, an empty one too.
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


def log_metrics(folder: Path, **numbers: object) -> None:
    """Append one line of JSON to `metrics.jsonl`."""
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(numbers) + "\n")
