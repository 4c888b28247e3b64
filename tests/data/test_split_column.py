"""Columns that say which part of the data a row is of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from regard.data.reading import split_column
from tests.data.any_task import read

Cell = Callable[[int], object]


def table(folder: Path, names: str, *cells: Cell, count: int = 60) -> str:
    lines = [f"text,label,{names}"]
    for n in range(count):
        more = ",".join(str(cell(n)) for cell in cells)
        lines.append(f"the lamp was seen on day {n},{'good' if n // 7 % 2 else 'bad'},{more}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "a.csv")


def days(corpus: object) -> dict[str, list[int]]:
    """The numbers of the rows of each part."""
    splits = corpus.splits  # type: ignore[attr-defined]
    return {split: [int(row["text"].split()[-1]) for row in rows] for split, rows in splits.items()}


FIFTH = [n for n in range(60) if n % 5 == 0]


@pytest.mark.parametrize(
    ("names", "cells", "split"),
    [
        ("split", [lambda n: "train" if n % 5 else "test"], "test"),
        ("train_or_test", [lambda n: "train" if n % 5 else "test"], "test"),
        ("phase", [lambda n: "Train" if n % 5 else "Val"], "valid"),
        ("is_test", [lambda n: int(n % 5 == 0)], "test"),
        ("isTest", [lambda n: n % 5 == 0], "test"),
        ("is_valid", [lambda n: n % 5 == 0], "valid"),
        ("is_train", [lambda n: int(n % 5 > 0)], "test"),
        ("in_test_set", [lambda n: "yes" if n % 5 == 0 else "no"], "test"),
        ("is_train,is_val", [lambda n: int(n % 5 > 0), lambda n: int(n % 5 == 0)], "valid"),
    ],
)
def test_a_column_of_names_or_of_yes_and_no_divides_the_rows(
    tmp_path: Path, names: str, cells: list[Cell], split: str
) -> None:
    corpus = read(table(tmp_path, names, *cells))
    assert days(corpus)[split] == FIFTH
    assert not {*days(corpus)["train"]} & {*FIFTH}
    assert "a row is of" in corpus.description and "not used" not in corpus.description


def test_rows_to_test_that_stand_behind_all_others_are_found(tmp_path: Path) -> None:
    corpus = read(table(tmp_path, "split", lambda n: "test" if n > 1200 else "train", count=1300))
    assert days(corpus)["test"] == [*range(1201, 1300)]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("split", lambda n: "test" if n > 1200 else "train"),
        ("is_test", lambda n: int(n > 1200)),
        ("split", lambda n: "test" if n > 1200 else ("train", "valid")[n % 9 == 0]),
    ],
)
def test_rows_to_test_far_behind_all_others_are_never_trained_on(
    tmp_path: Path, name: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_column, "FURTHER", 1100)
    path = table(tmp_path, name, cell, count=1300)
    with pytest.raises(ValueError, match="line 1203: the first row to test, and none stands in"):
        read(path)


@pytest.mark.parametrize("name", ["fold", "kfold", "Fold_ID", "cv_fold"])
@pytest.mark.parametrize("spelled", ["{}", "{}.0", "fold {}"])
def test_the_last_of_numbered_folds_is_validated_on(
    tmp_path: Path, name: str, spelled: str
) -> None:
    corpus = read(table(tmp_path, name, lambda n: spelled.format(-n % 5)))
    assert days(corpus)["valid"] == [n for n in range(60) if -n % 5 == 4]
    assert f"its column {name!r} divides the rows into 5 folds, of which 4" in corpus.description


@pytest.mark.parametrize("name", ["split", "train_test", "splitset_label"])
def test_numbers_that_do_not_say_which_part_they_are_are_asked_about(
    tmp_path: Path, name: str
) -> None:
    path = table(tmp_path, name, lambda n: 1 + n % 3)
    with pytest.raises(ValueError, match=f"a column '{name}' with 1, 2, 3, which does not say"):
        read(path)
    assert "test" not in read(path, columns={"text": "text", "label": "label"}).splits


def test_a_row_of_two_parts_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = table(tmp_path, "is_train,is_test", lambda n: int(n % 2), lambda n: int(n % 5 == 0))
    with pytest.raises(ValueError, match="line 7: 'is_train' is '1', 'is_test' is '1', and a row"):
        read(path)


@pytest.mark.parametrize(
    ("name", "cell"),
    [("folds", lambda n: n), ("is_test", lambda n: 0), ("set", lambda n: n % 2), ("fold", str)],
)
def test_other_columns_of_such_names_divide_nothing(tmp_path: Path, name: str, cell: Cell) -> None:
    corpus = read(table(tmp_path, name, cell), columns={"text": "text", "label": "label"})
    assert "which part" not in corpus.description and "test" not in corpus.splits


def test_labels_that_are_called_train_and_test_are_labels(tmp_path: Path) -> None:
    lines = [f"the lamp was seen on day {n},{'train' if n % 2 else 'test'}" for n in range(40)]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    assert read(str(tmp_path / "a.csv")).labels == ("test", "train")
