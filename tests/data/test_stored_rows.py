"""Rows are parsed once, and stored as if each had been looked at by itself."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.data.reading.arrow import batches
from regard.data.reading.held_out import EVERY, MOST, SHARE
from regard.data.reading.layout import find_layout
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.rows import RowSource
from regard.data.reading.seen import Seen
from regard.data.reading.store import stored_corpus
from regard.data.reading.survey import held_by_label
from regard.data.schema import Cell
from regard.tasks.classify.schema import SCHEMA as CLASSIFY
from tests.data.any_task import ALL, read

COUNT = 2500
LABELS = ("good", "bad", "so so")


class Counted:
    """Rows that say how often they were read."""

    def __init__(self, rows: RowSource) -> None:
        self.rows, self.times = rows, 0

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        self.times += 1
        return self.rows.read(notes)


def draw(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def written(folder: Path, name: str, names: str, rows: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join([*([names] if names else []), *rows]) + "\n")
    return path


def labelled(count: int = COUNT, spelled: Any = str) -> list[str]:
    return [f"the film number {n // 2} was {n % 7},{spelled(LABELS[n % 3])}" for n in range(count)]


FILES = {
    "classify": ("a.csv", "text,label", labelled()),
    "translate": ("a.tsv", "source\ttarget", [f"so it {n}\tja es {n}" for n in range(COUNT)]),
    "answer": ("a.tsv", "story\tquestion\tanswer",
               [f"it is {n // 3}\twhat {n}\t{LABELS[n % 3]}" for n in range(COUNT)]),
    "regress": ("a.csv", "text,score", [f"a flat of {n} rooms,{n}.5" for n in range(COUNT)]),
    "multilabel": ("a.csv", "plot,genres", [f"a story {n} of it,a|b" for n in range(COUNT)]),
    "language_model": ("a.txt", "", [f"It was night number {n}." for n in range(COUNT)]),
}  # fmt: skip


@pytest.mark.parametrize("task", FILES)
def test_rows_are_parsed_once_whatever_the_task(tmp_path: Path, task: str) -> None:
    found = find_layout([written(tmp_path, *FILES[task])], DataRequest(ALL))
    assert found.schema.task == task
    counted = {split: Counted(rows) for split, rows in found.splits.items()}
    splits: dict[str, RowSource] = dict(counted)
    corpus = stored_corpus(replace(found, splits=splits), tmp_path / "kept", "x", (), "auto")
    assert {each.times for each in counted.values()} == {1}
    assert not list((tmp_path / "kept").rglob("*.part"))
    assert sorted(corpus.splits) == ["train", "valid"]


def test_what_is_held_out_by_hash_is_below_one_limit_and_nothing_else_is(tmp_path: Path) -> None:
    corpus = read(str(written(tmp_path, *FILES["translate"])))
    sides = {s: [draw(text) for text in part["source"]] for s, part in corpus.splits.items()}
    share = min(SHARE, MOST / COUNT)
    assert max(sides["valid"]) < share * 2**64 <= min(sides["train"])


def test_labels_keep_their_shares_and_copies_one_side_and_rows_their_order(tmp_path: Path) -> None:
    corpus = read(str(written(tmp_path, *FILES["classify"])))
    sides = {split: [tuple(row.values()) for row in part] for split, part in corpus.splits.items()}
    rows = [tuple(row.split(",")) for row in labelled()]
    for split, some in sides.items():
        texts = {text for text, _ in some}
        assert some == [row for row in rows if row[0] in texts], split
    assert not {text for text, _ in sides["train"]} & {text for text, _ in sides["valid"]}
    counts = Counter(label for _, label in sides["valid"])
    assert max(counts.values()) - min(counts.values()) <= 2
    assert "label: bad 7" in corpus.description


def test_spellings_are_made_one_in_every_part(tmp_path: Path) -> None:
    rows = [f"the film number {n},{(' Good', 'good', 'good', 'bad')[n % 4]}" for n in range(COUNT)]
    written(tmp_path, "train.csv", "text,label", rows)
    written(tmp_path, "test.csv", "text,label", ["so it is,GOOD", "it was,bad "])
    corpus = read(str(tmp_path))
    assert corpus.labels == ("bad", "good")
    assert set(corpus.splits["test"]["label"]) == {"good", "bad"}
    assert set(corpus.splits["train"]["label"]) == {"good", "bad"}
    exact = read(str(tmp_path), merged=False)
    assert set(exact.splits["test"]["label"]) == {"GOOD", "bad "}


def test_where_a_label_has_one_text_every_so_manieth_copy_is_held_out(tmp_path: Path) -> None:
    rows = [f"{('so it is', 'no it is not')[n % 2]},{LABELS[n % 2]}" for n in range(200)]
    corpus = read(str(written(tmp_path, "a.csv", "text,label", rows)))
    assert len(corpus.splits["valid"]) == 200 // EVERY
    assert Counter(corpus.splits["valid"]["label"]) == {"good": 5, "bad": 5}


def test_a_text_is_cut_at_a_character_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    path = written(tmp_path, *FILES["language_model"])
    corpus = read(str(path))
    sides = ["".join(corpus.splits[split]["text"]) for split in ("train", "valid")]
    whole = path.read_text()
    assert "".join(sides) == whole and len(sides[0]) == int(len(whole) * 0.9)


@pytest.mark.slow
def test_a_large_row_is_no_reason_to_hold_many(tmp_path: Path) -> None:
    rows = [f"{'so ' * 100_000}{n},{LABELS[n % 2]}" for n in range(40)]
    found = find_layout([written(tmp_path, "a.csv", "text,label", rows)], DataRequest(ALL))
    stored_corpus(found, tmp_path / "kept", "x", (), "auto")
    (path,) = (tmp_path / "kept").rglob("train.arrow")
    assert max(batch.nbytes for batch in batches(path)) < 8 * 2**20


def test_the_same_layout_gives_the_same_place(tmp_path: Path) -> None:
    found: Layout = find_layout([written(tmp_path, *FILES["regress"])], DataRequest(ALL))
    kept = tmp_path / "kept"
    one = stored_corpus(found, kept, "x", (), "auto")
    two = stored_corpus(found, kept, "x", (), "auto")
    assert one.description == two.description and len(list(kept.iterdir())) == 1
    assert "score: from 0.5 to 2499.5" in one.description


def held_at_most(work: Callable[[], object]) -> int:
    """Bytes that are held at most at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_numbers_of_many_rows_are_looked_at_in_a_few_bytes_each() -> None:
    draws = np.random.default_rng(0).integers(0, 2**63, 200_000, dtype=np.uint64)
    seen = Seen(CLASSIFY)
    for split in ("train", "valid", "test"):
        seen.add_asked(split, draws)
    labels = (np.arange(len(draws)) % 3).astype(np.int32)
    assert held_at_most(lambda: held_by_label(draws, labels)) < 30 * len(draws)
    assert held_at_most(lambda: list(seen.told(("text", "label")))) < 24 * len(draws)
