"""Which files of the package a call enters: to the first gradient, and from a word to its part.

Run by `benchmarks.house` in a process of its own, with the package to be asked first on the path;
so it imports nothing of the benchmarks. Everything is done twice: the first time imports what it
needs, which is no part of the walk, the second time is watched.

    python -P benchmarks/walk.py gradient|word FOLDER
"""

import csv
import dataclasses
import json
import random
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import regard
from regard.cli import main as command_line
from regard.scores import Additive

PACKAGE = str(Path(regard.__file__).parent)
WORD = "additive"


class Watch:
    """The files that were entered, in their order, and those of them that had the word in hand."""

    def __init__(self) -> None:
        self.entered: dict[str, None] = {}
        self.holding: dict[str, None] = {}
        self.stopped: dict[str, list[str]] = {}

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """See a Python call or its return."""
        name = frame.f_code.co_filename
        if event not in ("call", "return") or not name.startswith(PACKAGE):
            return
        file = str(Path(name).relative_to(PACKAGE))
        self.entered[file] = None
        if file not in self.holding and holds(value if event == "return" else frame.f_locals):
            self.holding[file] = None

    def note(self) -> None:
        """Keep what was seen up to now."""
        self.stopped = {"entered": [*self.entered], "holding": [*self.holding]}


def holds(value: Any, depth: int = 6) -> bool:
    """Is the word in a value, as text, or in what it is made of?"""
    if isinstance(value, str):
        return WORD in value and len(value) < 200
    if depth == 0:
        return False
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()] if len(value) < 200 else []
    elif isinstance(value, (list, tuple)):
        inner = list(value[:200])
    elif isinstance(value, Namespace) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        inner = list(vars(value).values())
    else:
        return False
    return any(holds(each, depth - 1) for each in inner)


def reviews(path: Path) -> Path:
    """A text and a label on each line."""
    draw = random.Random(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for _ in range(200):
            table.writerow(draw.choice([("a fine film", "good"), ("a dull plot", "bad")]))
    return path


def pairs(path: Path) -> Path:
    """A sentence and its translation on each line."""
    draw = random.Random(0)
    texts = (" ".join(draw.choices(["one", "two", "three"], k=4)) for _ in range(200))
    path.write_text("source\ttarget\n" + "".join(f"{text}\t{text}\n" for text in texts))
    return path


def train(folder: Path) -> None:
    """One update of an LSTM on a csv: by `regard.train` where that is no folder of modules."""
    data = reviews(folder / "reviews.csv")
    if hasattr(regard, "Run"):
        regard.train(data, model="lstm", steps=1, out=folder / "run")
    else:
        given = ["--data", str(data), "--model", "lstm", "--steps", "1"]
        command_line(["train", *given, "--out", str(folder / "run")])


def train_with_word(folder: Path) -> None:
    """One update of RNNsearch with a score that is named on the command line."""
    data = ["--data", str(pairs(folder / "pairs.tsv")), "--out", str(folder / "run")]
    command_line(["train", "rnnsearch", *data, "--steps", "1", "--attention", WORD])


def patched(owner: Any, name: str, before: Callable[[], None]) -> None:
    """Have something called before a method, each time."""
    method = getattr(owner, name)

    @wraps(method)
    def calling(*args: Any, **kwargs: Any) -> Any:
        before()
        return method(*args, **kwargs)

    setattr(owner, name, calling)


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    walk = train if what == "gradient" else train_with_word
    for turn in ("first", "second"):
        (folder / turn).mkdir(parents=True)
    walk(folder / "first")
    watch, running = Watch(), True

    def stop() -> None:
        nonlocal running
        if running and what == "gradient":
            watch.note()
        sys.setprofile(None)
        running = False

    def made() -> None:
        if running:
            watch.note()

    patched(torch.Tensor, "backward", stop)
    patched(Additive, "__init__", made if what == "word" else lambda: None)
    sys.setprofile(watch)
    try:
        walk(folder / "second")
    finally:
        sys.setprofile(None)
    (folder / "walk.json").write_text(json.dumps(watch.stopped, indent=1))


if __name__ == "__main__":
    main()
