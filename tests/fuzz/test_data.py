"""Fuzzers of what reads people's data."""

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from regard.run.corpora import known_schemas
from tests.data.any_task import read_as as read
from tests.fuzz.fuzzing import fuzz

ROWS = [
    {"text": "a good film, really", "label": "good"},
    {"text": 'a "bad" film', "label": "bad"},
    {"text": "früh\tspät", "label": "good"},
    {"text": "日本語", "label": "bad"},
] * 4
PAIRS = [{"source": f"one {n}", "target": f"eins {n}"} for n in range(8)]
SAVED_AT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CHOSEN = [
    {"user": f"u{n % 3}", "item": f"i{n % 5}", "rating": n % 5, "timestamp": n} for n in range(20)
]


def _separated(rows: list[dict[str, object]], between: str) -> bytes:
    lines = [between.join(rows[0])]
    for row in rows:
        cells = (str(cell) for cell in row.values())
        quoted = ('"' + c.replace('"', '""') + '"' if {*c} & {between, '"'} else c for c in cells)
        lines.append(between.join(quoted))
    return "\n".join(lines).encode() + b"\n"


def _parquet(rows: list[dict[str, object]]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


def _excel(rows: list[dict[str, object]]) -> bytes:
    book, sink = openpyxl.Workbook(), io.BytesIO()
    for row in ([*rows[0]], *([*row.values()] for row in rows)):
        book.active.append(row)
    book.save(sink)
    with zipfile.ZipFile(sink) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return _zip({name: SAVED_AT.sub(b"2020-01-01T00:00:00Z", part) for name, part in parts.items()})


def _zip(parts: dict[str, bytes]) -> bytes:
    """An archive without a clock, so that a fuzzer's changes are the same tomorrow."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


TABLES: list[list[dict[str, object]]] = [ROWS, PAIRS, CHOSEN]  # type: ignore[list-item]


def _without_tabs(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{key: str(cell).replace("\t", " ") for key, cell in row.items()} for row in rows]


FORMATS: dict[str, Callable[[list[dict[str, object]]], bytes]] = {
    "csv": lambda rows: _separated(rows, ","),
    "tsv": lambda rows: _separated(_without_tabs(rows), "\t"),
    "jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode(),
    "parquet": _parquet,
    "xlsx": _excel,
    "csv.gz": lambda rows: gzip.compress(_separated(rows, ","), mtime=0),
    "csv.zip": lambda rows: _zip({"data.csv": _separated(rows, ",")}),
    "txt": lambda rows: "".join(" ".join(map(str, row.values())) + "\n" for row in rows).encode(),
}  # fmt: skip


@pytest.mark.parametrize("ending", FORMATS)
def test_changed_data(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"data.{ending}"
    schemas = known_schemas()

    def look(content: bytes) -> None:
        path.write_bytes(content)
        corpus = read(str(path), schemas)
        assert "\x1b" not in corpus.description and "\0" not in corpus.description

    fuzz(f"data in {ending}", [FORMATS[ending](rows) for rows in TABLES], look)
