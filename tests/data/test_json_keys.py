"""Objects whose keys are not all spelled alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard.data.reading.every_row import every_row
from regard.data.reading.input_file import input_table
from regard.data.reading.lexicon import Lexicon
from tests.data.any_task import ALL, read

Keys = tuple[str, str]


def written(folder: Path, name: str, keys: list[Keys]) -> str:
    entries: list[dict[str, Any]] = []
    for n in range(60):
        text, label = keys[n % len(keys)]
        entries.append({text: f"the lamp was seen on day {n}", label: "good" if n % 5 else "bad"})
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    (folder / name).write_text(lines if name.endswith("l") else json.dumps(entries))
    return str(folder / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize(
    "keys",
    [
        [("text", "label"), ("Text", "Label")],
        [("TEXT", "label"), ("text", "label"), ("Text ", "LABEL")],
    ],
)
def test_keys_that_differ_in_case_and_spaces_are_one(
    tmp_path: Path, name: str, keys: list[Keys]
) -> None:
    corpus = read(written(tmp_path, name, keys))
    assert sum(len(part) for part in corpus.splits.values()) == 60
    (text, label), (other, _), *_ = keys
    assert corpus.columns == (text, label)
    assert f"{other!r} is read as {text!r}, spelled otherwise" in corpus.description


def test_keys_of_one_object_are_apart_however_alike(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": f"day {n} was long", "Text": "", "label": "good" if n % 5 else "bad"})
        for n in range(40)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    corpus = read(str(tmp_path / "a.jsonl"))
    assert corpus.columns == ("text", "label") and "spelled" not in corpus.description


def test_a_trained_network_is_asked_so_too(tmp_path: Path) -> None:
    path = Path(written(tmp_path, "a.jsonl", [("text", "label"), ("Text ", "LABEL")]))
    schema = next(schema for schema in ALL if schema.task == "classify")
    table = input_table(path, schema, Lexicon.of(ALL), ("text",), "utf-8")
    assert table is not None and table.names == ("text", "label")
    assert all(row.values["text"] for row in every_row(table))
