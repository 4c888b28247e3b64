"""What a file says of the items stands beside each interaction; what is no category is left out."""

from collections import Counter
from pathlib import Path

import pytest

from regard.data.reading.cells import Bound
from regard.data.reading.formats import open_table
from regard.data.reading.item_file import Described, item_file
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.rows import Tabled
from regard.tasks.recommend.schema import SCHEMA as RECOMMEND
from tests.data.any_task import ALL, read

HEAD = "item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\tscore:float\n"
ITEMS = "".join(
    f"{n}\tFilm {n}\t199{n % 2}\t{'Sad Slow' if n > 3 else ''}\t{n}.5\n" for n in range(7)
)


def put(folder: Path, items: str) -> Path:
    (folder / "ml.item").write_text(items)
    path = folder / "ml.inter"
    chosen = "".join(f"ann\t{n}\t{n}\n" for n in (2, 5, 99, 6))
    path.write_text("user_id:token\titem_id:token\ttimestamp:float\n" + chosen)
    return path


def test_words_that_items_share_are_read_and_titles_and_numbers_are_not(tmp_path: Path) -> None:
    found, notes = item_file(put(tmp_path, HEAD + ITEMS), RECOMMEND, "utf-8")
    assert found is not None and found.columns == ("year", "class")
    assert notes[0].endswith(
        "ml.item: year, class (not movie_title: nearly every item has its own)"
    )


def test_each_interaction_has_what_is_known_of_its_item(tmp_path: Path) -> None:
    path = put(tmp_path, HEAD + ITEMS)
    found, _ = item_file(path, RECOMMEND, "utf-8")
    assert found is not None
    table = open_table(path, "utf-8", Lexicon.of(ALL))
    bounds = [Bound((name,) if name else ()) for name in ("user_id", "item_id", "", "timestamp")]
    plain = Tabled(table, tuple(bounds), RECOMMEND)
    described = Described(plain, found, place=1)
    assert [row[4] for row in described.read(Counter())] == [
        "1990\t", "1991\tSad Slow", "", "1990\tSad Slow",
    ]  # fmt: skip
    assert described.files == (path, tmp_path / "ml.item")
    corpus = read(str(path))
    assert corpus.names[4] == "category" and "class" in corpus.description
    (tmp_path / "ml.item").write_text(HEAD + ITEMS.replace("Sad", "Calm"))
    assert read(str(path)).fingerprint != corpus.fingerprint


def parts_of(path: Path) -> None:
    """Cut interactions into the three parts of a benchmark of RecBole, and remove the whole."""
    head, *rows = path.read_text().splitlines(keepends=True)
    for part, some in {"train": rows[:2], "valid": rows[2:3], "test": rows[3:]}.items():
        path.with_name(f"{path.stem}.{part}.inter").write_text(head + "".join(some))
    path.unlink()


def test_the_parts_of_a_benchmark_of_recbole_are_splits_and_share_the_file_of_items(
    tmp_path: Path,
) -> None:
    parts_of(put(tmp_path, HEAD + ITEMS))
    (tmp_path / "ml.user").write_text("user_id:token\tage:float\nann\t30\n")
    corpus = read(str(tmp_path))
    assert corpus.task == "recommend" and list(corpus.splits) == ["train", "valid", "test"]
    found = {split: list(zip(rows["item"], rows["category"], strict=True))
             for split, rows in corpus.splits.items()}  # fmt: skip
    assert found == {
        "train": [("2", "1990\t"), ("5", "1991\tSad Slow")],
        "valid": [("99", "")],
        "test": [("6", "1990\tSad Slow")],
    }


def test_a_category_of_the_interactions_goes_first(tmp_path: Path) -> None:
    path = put(tmp_path, HEAD + ITEMS)
    path.write_text("user_id:token\titem_id:token\tgenre:token\nann\t5\tjazz\n")
    assert [tuple(row.values())[4] for row in read(str(path)).splits["train"]] == ["jazz"]


@pytest.mark.parametrize(
    "items",
    [
        "item_id:token\n1\n",
        "item_id:token\tx:float\n1\t2\n",
        "item_id:token\tt:token\n1\ta\n2\tb\n",
    ],
)
def test_a_file_without_words_that_items_share_is_not_read(tmp_path: Path, items: str) -> None:
    path = put(tmp_path, items)
    assert item_file(path, RECOMMEND, "utf-8")[0] is None
    assert len(read(str(path)).names) == 4


def test_only_interactions_of_recbole_have_such_a_file(tmp_path: Path) -> None:
    put(tmp_path, HEAD + ITEMS)
    assert item_file(tmp_path / "ml.csv", RECOMMEND, "utf-8") == (None, ())
    assert item_file(tmp_path / "other.inter", RECOMMEND, "utf-8") == (None, ())


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ("", "line 1: no column is called item_id:token"),
        ("id:token\tclass:token\n", "line 1: no column is called item_id:token"),
        (HEAD + ITEMS + "8\tx\n", "line 9: 2 columns, where the first row has 5"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, items: str, why: str) -> None:
    path = put(tmp_path, items)
    with pytest.raises(ValueError, match=f"ml.item {why}"):
        read(str(path))
