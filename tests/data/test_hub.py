"""A data set of the hub is a table like every other; a folder here stands in for the hub."""

import json
from pathlib import Path

import pytest

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus
from regard.data.reading.pictures import PictureCell
from tests.data.any_task import read
from tests.pictures import drawn, encoded


def hub(folder: Path, entries: list[dict[str, object]]) -> Corpus:
    place = folder / "set"
    place.mkdir()
    (place / "train.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return read(f"hf:{place}", cache=folder / "cache")


def rows(corpus: Corpus) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in corpus.splits["train"]]


def test_columns_that_may_be_missing_are_empty(tmp_path: Path) -> None:
    corpus = hub(tmp_path, [{"user_id": f"u{n}", "item_id": n % 3, "text": "x"} for n in range(9)])
    assert (corpus.task, corpus.names) == (
        "recommend",
        ("user_id", "item_id", "rating", "timestamp"),
    )
    assert rows(corpus)[4] == ("u4", "1", "", "")


def test_numbers_with_a_point_and_dates_are_read_where_they_may_stand(tmp_path: Path) -> None:
    entry = {"user": "a", "item": "b", "rating": 4.5, "timestamp": "2026-03-03", "brand": "Z"}
    corpus = hub(tmp_path, [{**entry, "price": 9.5}, {**entry, "rating": 3.0, "price": 1.5}])
    found = rows(corpus)
    assert [row[:3] for row in found] == [("a", "b", "4.5"), ("a", "b", "3.0")]
    assert found[0][3].startswith("2026-03-03") and found[0][4] == "Z"


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    ratings = [*"12345" * 6, "3 of 5"]
    entries = [
        {"user": f"u{n % 4}", "item": f"i{n % 7}", "rating": r} for n, r in enumerate(ratings)
    ]
    with pytest.raises(ValueError, match="hf:.* row 31: the rating '3 of 5' is not a number"):
        hub(tmp_path, entries)


def test_rows_without_a_text_are_left_out_and_counted(tmp_path: Path) -> None:
    entries = [{"text": text, "label": n % 2} for n, text in enumerate(["a", None, "b", "c", "d"])]
    corpus = hub(tmp_path, entries)
    assert sum(len(part) for part in corpus.splits.values()) == 4
    assert "1 rows without a text left out" in corpus.description


def test_stories_need_no_support(tmp_path: Path) -> None:
    entries = [{"story": f"{n} sits.", "question": "Who?", "answer": "he"} for n in range(9)]
    corpus = hub(tmp_path, entries)
    assert corpus.task == "answer" and rows(corpus)[0][1:] == ("Who?", "he", "")


def test_the_number_of_a_class_becomes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = extra("datasets")
    label = package.ClassLabel(names=["bad", "good"])
    features = package.Features({"text": package.Value("string"), "label": label})
    entries = {"text": [f"text {n}" for n in range(9)], "label": [n % 2 for n in range(8)] + [-1]}
    made = package.Dataset.from_dict(entries, features=features)
    monkeypatch.setattr(package, "load_dataset", lambda *_, **__: {"train": made})
    corpus = read("hf:owner/set", cache=tmp_path)
    assert corpus.labels == ("-1", "bad", "good")
    assert corpus.names == ("text", "label")


@pytest.mark.parametrize("saved", [False, True], ids=["the hub", "a saved data set"])
def test_pictures_are_their_bytes(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = extra("datasets")
    label = package.ClassLabel(names=["dark", "light"])
    features = package.Features({"img": package.Image(), "label": label})
    drawings = [encoded(drawn((8 * n, 8 * n, 9))) for n in range(30)]
    entries = {
        "img": [{"bytes": each, "path": f"{n}.png"} for n, each in enumerate(drawings)],
        "label": [int(n > 14) for n in range(30)],
    }
    made = package.Dataset.from_dict(entries, features=features)
    if saved:
        made.save_to_disk(tmp_path / "set")
        corpus = read(str(tmp_path / "set"), cache=tmp_path / "cache")
    else:
        monkeypatch.setattr(package, "load_dataset", lambda *_, **__: {"train": made})
        corpus = read("hf:owner/set", cache=tmp_path)
    assert corpus.task == "image_classify" and corpus.labels == ("dark", "light")
    cells = [PictureCell(row["image"]) for part in corpus.splits.values() for row in part]
    assert sorted(cell.content for cell in cells) == sorted(drawings)
    assert {cell.name for cell in cells} == {f"{n}.png" for n in range(30)}
