"""Workbooks and files with several tables: joined, divided, or told apart."""

import io
from pathlib import Path
from typing import Any

import pytest

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus
from tests.data.any_task import read

ROWS: list[list[Any]] = [
    [f"the lamp was seen on day {n}", "good" if n % 2 else "bad"] for n in range(60)
]
NAMES = ["text", "label"]
PEOPLE: list[list[Any]] = [
    ["author", "city", "year"],
    *[[f"a{n}", "Rome", 1990 + n] for n in range(8)],
]


def book(folder: Path, sheets: dict[str, list[list[Any]]]) -> str:
    made = extra("openpyxl").Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    made.save(written)
    (folder / "a.xlsx").write_bytes(written.getvalue())
    return str(folder / "a.xlsx")


def sizes(corpus: Corpus) -> dict[str, int]:
    return {split: len(rows) for split, rows in corpus.splits.items()}


def test_sheets_of_the_same_columns_are_one_table(tmp_path: Path) -> None:
    months = {m: [NAMES, *ROWS[20 * n : 20 * n + 20]] for n, m in enumerate(("Jan", "Feb", "Mar"))}
    corpus = read(book(tmp_path, {"Cover": [["Reviews"]], **months, "People": PEOPLE}))
    assert sum(sizes(corpus).values()) == 60
    assert "the sheets Jan, Feb, Mar one behind the other" in corpus.description


def test_sheets_that_are_called_after_parts_are_these(tmp_path: Path) -> None:
    parts = {"Train": [NAMES, *ROWS[:40]], "Test": [NAMES, *ROWS[40:]]}
    assert sizes(read(book(tmp_path, parts)))["test"] == 20


def test_sheets_of_texts_alone_have_their_names_as_labels(tmp_path: Path) -> None:
    rows = {
        kind: [["id", "text"], *[[7 * n, t] for n, (t, k) in enumerate(ROWS) if k == kind]]
        for kind in ("good", "bad")
    }
    corpus = read(book(tmp_path, rows))
    assert corpus.columns == ("text", "sheet") and corpus.labels == ("bad", "good")


@pytest.mark.parametrize("ending", ["xlsx", "csv", "tsv"])
def test_a_table_below_another_is_no_part_of_it(tmp_path: Path, ending: str) -> None:
    rows: list[list[Any]] = [NAMES, *ROWS[:50], [], *[[row[0], row[2]] for row in PEOPLE]]
    if ending == "xlsx":
        path = book(tmp_path, {"All": rows})
    else:
        mark = "," if ending == "csv" else "\t"
        path = str(tmp_path / f"a.{ending}")
        Path(path).write_text("".join(mark.join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(ValueError, match=f"a.{ending} row 53: another table begins here"):
        read(path)


def test_rows_below_an_empty_one_are_rows(tmp_path: Path) -> None:
    rows = [NAMES, *ROWS[:30], [], *ROWS[30:], [], NAMES, *ROWS[:10]]
    assert sum(sizes(read(book(tmp_path, {"All": rows}))).values()) in (70, 71)
    (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    assert sum(sizes(read(str(tmp_path / "a.csv"))).values()) == 70


def test_paragraphs_apart_are_rows_however_short_their_first_is(tmp_path: Path) -> None:
    lines = []
    for n in range(40):
        lines += [f"Hi {n}.\tSalut {n}.", *[f"it rained on day {n}, {m}\til a plu le {n}, {m}"
                                           for m in range(4)], ""]  # fmt: skip
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    assert sum(sizes(read(str(tmp_path / "a.tsv"))).values()) == 200


def test_labels_in_merged_cells_are_told(tmp_path: Path) -> None:
    rows = [[kind if n % 4 == 0 else None, text] for n, (text, kind) in enumerate(ROWS)]
    for n, row in enumerate(rows):
        row[0] = ("good", "bad")[n // 4 % 2] if n % 4 == 0 else None
    said = read(book(tmp_path, {"All": [["label", "text"], *rows]})).description
    assert "label stands in the first row of groups alone, as merged cells do" in said
    assert "45 rows without a label left out" in said
