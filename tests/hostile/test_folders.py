"""Whatever stands in the files of a model folder: it works, or one sentence says what is wrong."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import regard
from regard._io.files import read_json
from regard._io.manifest import NAME
from regard.tasks import TASKS
from tests.hostile.folders import (
    SPELLED,
    WRONG,
    Place,
    asked,
    copied,
    files_of,
    folder_of,
    places,
    put,
    spelled,
    with_wrong,
)
from tests.hostile.laws import require_sentence, sentence


def refused(task: str, folder: Path, name: str) -> bool:
    """Load and ask; whether it was refused. Whatever is said names the folder or a file in it."""
    said = [sentence(lambda: regard.load(folder)), sentence(lambda: asked(folder, task))]
    for each in said:
        assert each is None or str(folder) in each or "token" in each.lower(), each
    if said[0] is not None:
        assert said[1] is not None, "loaded for a prediction, and not by itself"
    return said[1] is not None


def texts_of(content: Any, number: int = 0, every: int = 1) -> list[tuple[Place, str, str]]:
    """Place, what is wrong there, and the whole file; of all of them each `every`-th."""
    found = []
    for place in places(content):
        for what, wrong in WRONG.items():
            found.append(
                (place, what, lambda p=place, w=wrong: json.dumps(with_wrong(content, p, w)))
            )
        for what, text in SPELLED.items():
            found.append((place, what, lambda p=place, t=text: spelled(content, p, t)))
    return list(islice(found, number % every, None, every))


def walk(task: str, name: str, folder: Path, number: int, every: int) -> None:
    content = json.loads((folder / name).read_bytes())
    whole = (folder / name).read_text("utf-8")
    for place, what, text in texts_of(content, number, every):
        put(folder, name, text())
        try:
            was_refused = refused(task, folder, name)
        except BaseException as error:
            error.add_note(f"{what} at {place} of {name} of {task}")
            raise
        assert was_refused or what not in ("a table", "too deep", "no number") or place, what
    put(folder, name, whole)
    assert asked(folder, task).answers == asked(folder_of(task), task).answers


@pytest.mark.parametrize("task", TASKS)
def test_a_wrong_value_anywhere_is_refused_in_one_sentence_or_works(
    task: str, tmp_path: Path
) -> None:
    """Some of all places and values, others for each file; the next test has all."""
    folder = copied(task, tmp_path)
    for number, name in enumerate(files_of(task), 4 * list(TASKS).index(task)):
        walk(task, name, folder, number, 41)


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", TASKS)
def test_every_wrong_value_everywhere_is_refused_in_one_sentence_or_works(
    task: str, tmp_path: Path
) -> None:
    folder = copied(task, tmp_path)
    for name in files_of(task):
        walk(task, name, folder, 0, 1)


SIZES = [[], {}, "x", True, 1.5, -1, 0, 10**9, [4], "4.5"]


@pytest.mark.parametrize("task", TASKS)
def test_sizes_of_another_kind_are_never_taken(task: str, tmp_path: Path) -> None:
    folder = copied(task, tmp_path)
    config = json.loads((folder / "config.json").read_bytes())
    sizes = [name for name, value in config.items() if type(value) is int and name != "format"]
    for number, name in enumerate(sizes):
        for wrong in SIZES[number % 2 :: 2]:
            if wrong == 0 and name in ("feature_columns", "unknown", "end"):
                continue
            put(folder, "config.json", json.dumps({**config, name: wrong}))
            said = sentence(lambda: regard.load(folder))
            assert said is not None and str(folder) in said, name


MANIFESTS = {
    "two hundred thousand entries": lambda files: {
        **files, **{f"f{n}": {"bytes": 0, "sha256": ""} for n in range(200_000)}
    },
    "a device": lambda files: {**files, "/dev/zero": {"bytes": 0, "sha256": ""}},
    "a file elsewhere": lambda files: {**files, "../secret": {"bytes": 0, "sha256": ""}},
    "a list": lambda files: list(files),
    "an entry that is a list": lambda files: {**files, "task.json": []},
    "sizes as texts": lambda files: {**files, "task.json": {"bytes": "9", "sha256": "x"}},
    "digests as numbers": lambda files: {**files, "task.json": {"bytes": 9, "sha256": 9}},
    "nothing": lambda files: {},
}  # fmt: skip


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_lies_is_refused(change: Any, tmp_path: Path) -> None:
    folder = copied("classify", tmp_path)
    entries = json.loads((folder / NAME).read_bytes())
    text = json.dumps({**entries, "files": change(entries["files"])})
    (folder / NAME).write_text(text)
    said = sentence(lambda: regard.load(folder))
    assert said is not None and NAME in said


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**30)


NO_FILES = {"a pipe": os.mkfifo, "a folder": os.mkdir, "a device": _device, "a gigabyte": _sparse}
no_file = pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)


@no_file
def test_what_is_no_file_is_refused_and_not_waited_for(make: Any, tmp_path: Path) -> None:
    for path in sorted(folder_of("translate").iterdir()):
        folder = copied("translate", tmp_path / path.name)
        (folder / path.name).unlink()
        make(folder / path.name)
        for said in (
            sentence(lambda found=folder: regard.load(found)),
            sentence(lambda found=folder: asked(found, "translate")),
        ):
            assert said is not None, path.name


@no_file
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_alone_is_read_with_the_same_suspicion(
    name: str, make: Any, tmp_path: Path
) -> None:
    folder = copied("classify", tmp_path)
    for other in folder.iterdir():
        if other.name not in ("config.json", "model.safetensors"):
            other.unlink()
    (folder / name).unlink()
    make(folder / name)
    assert sentence(lambda: regard.load(folder)) is not None


def test_repeated_keys_are_found_in_time_that_grows_with_their_number() -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(300_000))
    text = f'{{{keys}, "k7": 2}}'
    assert "'k7' stands twice" in str(sentence(lambda: read_json(text)))


GREEDY = {
    "a stack of thousands of layers": ("classify", {"layers": 60_000}),
    "a stack of layers that are wide": ("classify", {"layers": 60_000, "hidden_dim": 60_000}),
    "a width of a gigabyte": ("classify", {"vocab": 16_000_000, "embed_dim": 65_536}),
    "a part that is wide": ("recommend", {"pooling": {
        "kind": "attention", "score": "mlp(hidden_dims=(999999999999, 9))"}}),
    "a bias of many heads": ("language_model", {"attention": {
        "score_mod": "relative_bias(num_heads=99999999999)"}}),
    "slopes of many heads": ("language_model", {"attention": {
        "score_mod": "alibi(num_heads=9999999999)"}}),
    "a thousand layers": ("language_model", {"layers": 1000}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("task", "changes"), GREEDY.values(), ids=GREEDY)
def test_what_the_weights_do_not_have_costs_neither_memory_nor_time(
    task: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    folder = copied(task, tmp_path)
    config = json.loads((folder / "config.json").read_bytes())
    put(folder, "config.json", json.dumps({**config, **changes}))
    good = folder_of(task)
    script = f"""
import resource, regard
from tests.hostile.laws import soon
regard.load({str(good)!r})  # Imports all there is to import.
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
try:
    with soon():
        regard.load({str(folder)!r})
    print("loaded")
except ValueError as error:
    print(error)
print(peak() - before)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *said, kilobytes = ran.stdout.strip().split("\n")
    assert said != ["loaded"]
    require_sentence("\n".join(said))
    assert int(kilobytes) < 100_000
