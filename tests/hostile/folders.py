"""Model folders of every task, hardly trained, and what can be wrong in their JSON files."""

import json
import shutil
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import regard
from regard._io.manifest import NAME, write_manifest
from tests.tables.tasks import ROWS

Place = tuple[str | int, ...]

DEEP = json.loads("[" * 90 + "]" * 90)
WRONG: dict[str, Any] = {
    "a list": [],
    "a table": {},
    "a text": "x",
    "nothing": None,
    "true": True,
    "below zero": -1,
    "zero": 0,
    "half": 1.5,
    "many": 10**9,
    "a list of lists": [[1]],
    "a table of one": {"kind": 3},
    "deep": DEEP,
    "a long text": "ab" * 5_000_000,
}
SPELLED: dict[str, str] = {
    "too deep": "[" * 10_000 + "]" * 10_000,
    "larger than any": "1e309",
    "thousands of digits": "9" * 4001,
    "more digits than Python reads": "9" * 5001,
    "no number": "NaN",
    "half of a character": '"\\ud800"',
    "keys that stand twice": '{"a": 1, "a": 2}',
    "a control character": '"\\u001b[2J"',
}
"""Wrong values that have to be spelled, for `json` would not write them."""
MARK = "<<here>>"


_made = TemporaryDirectory(prefix="regard-hostile-")


@cache
def folder_of(task: str) -> Path:
    """The folder of a model of this task; it is not to be changed."""
    row = ROWS[task]
    place = Path(_made.name, task)
    made = row.made(place / "data", fixed=0)
    folder = place / "model"
    folder.mkdir(parents=True)
    made.predictor.save(folder)
    return folder


def copied(task: str, place: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(folder_of(task), place / task, dirs_exist_ok=True))


def files_of(task: str) -> list[str]:
    """Its JSON files but the manifest, which is made again for each change."""
    return sorted(p.name for p in folder_of(task).glob("*.json") if p.name != NAME)


def places(value: Any, place: Place = (), most: int = 6) -> Iterator[Place]:
    """Every place within a value; of long lists and tables the first few."""
    yield place
    entries: Any = ()
    if isinstance(value, dict):
        entries = list(value.items())[:40] if len(value) < 60 else list(value.items())[:most]
    elif isinstance(value, list):
        entries = list(enumerate(value))[:most]
    for key, held in entries:
        yield from places(held, (*place, key), most)


def with_wrong(value: Any, place: Place, wrong: Any) -> Any:
    """The same with something else at a place."""
    if not place:
        return wrong
    changed = deepcopy(value)
    held = changed
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = wrong
    return changed


def put(folder: Path, name: str, text: str) -> None:
    """Write a file of a folder, and the manifest as if it had always been so."""
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    write_manifest(folder, [p.name for p in folder.iterdir() if p.name != NAME])


def spelled(value: Any, place: Place, text: str) -> str:
    """The JSON with this text at a place."""
    return json.dumps(with_wrong(value, place, MARK)).replace(json.dumps(MARK), text)


def asked(folder: Path, task: str) -> Any:
    """Ask the model in a folder."""
    (answer,) = regard.Run(folder).predict([ROWS[task].asked], 2)
    assert all(isinstance(text, str) for text, _ in answer.answers)
    return answer
