"""A schema is all that a reader knows of a task, so a new task needs no word of the readers."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from regard.data.reading import lines as lines_module
from regard.data.reading.arrow import ArrowWriter, gathered, open_arrow
from regard.data.reading.babi import write_babi
from regard.data.reading.corpus import Corpus
from regard.data.schema import (
    AtEnd,
    ByHash,
    ByTask,
    Column,
    ColumnKind,
    Schema,
)
from regard.data.synthetic.stories import story_rows
from regard.tasks.classify.schema import SCHEMA as CLASSIFY
from regard.tasks.language_model.schema import SCHEMA as LANGUAGE_MODEL
from tests.data.any_task import ALL
from tests.data.any_task import read_as as read

GLOSS = Schema(
    "gloss",
    (
        Column("morphs", ("surfaces", "segments")),
        Column("glosses", ("gloss_line", "leipzig")),
        Column("origin", ("corpus",), optional=True),
    ),
    between=" | ",
)
"""A task, which no reader has heard of."""

SENTENCES = [(f"word {n}", f"NOUN {n % 3}", f"book {n % 2}") for n in range(40)]


def put(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    entries = [dict(zip(names, row, strict=False)) for row in rows]
    match path.suffix:
        case ".parquet":
            parquet.write_table(arrow.Table.from_pylist(entries), path)
        case ".jsonl":
            path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        case ending:
            between = "," if ending == ".csv" else "\t"
            lines = [names, *(row[: len(names)] for row in rows)]
            path.write_text("".join(between.join(line) + "\n" for line in lines))
    return str(path)


def rows(corpus: Corpus, *splits: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for split in splits for row in corpus.splits[split]]


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("known", [(GLOSS,), (*ALL, GLOSS), (GLOSS, *ALL)], ids=len)
@pytest.mark.parametrize("task", [None, "gloss"])
def test_a_new_task_reads_tables_by_the_names_of_its_own_columns(
    tmp_path: Path, ending: str, known: tuple[Schema, ...], task: str | None
) -> None:
    names = ("LEIPZIG", "corpus", "segments")
    path = put(
        tmp_path / f"a{ending}", names, [(glosses, origin, w) for w, glosses, origin in SENTENCES]
    )
    corpus = read(path, known, task)
    assert (corpus.schema, corpus.task, corpus.names) == (
        GLOSS,
        "gloss",
        ("segments", "LEIPZIG", "corpus"),
    )
    assert sorted(rows(corpus, "train", "valid")) == sorted(SENTENCES)
    assert corpus.splits["train"].column_names == ["morphs", "glosses", "origin"]
    assert corpus.description.startswith("read as gloss (segments | LEIPZIG | corpus): ")
    assert "held out for validation, by their hash" in corpus.description


def test_what_a_new_task_says_may_be_missing_may_be_missing(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", ("surfaces", "glosses"), SENTENCES)
    corpus = read(path, [GLOSS])
    assert corpus.names == ("surfaces", "glosses", "origin")
    assert {origin for *_, origin in rows(corpus, "train", "valid")} == {""}


def test_a_task_that_is_not_known_is_never_inferred(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", ("text", "label"), [(w, t) for w, t, _ in SENTENCES])
    assert read(path, ALL).task == "classify"
    with pytest.raises(
        ValueError, match=r"columns text .*, label .*; there must be morphs and glosses \("
    ):
        read(path, [GLOSS])
    with pytest.raises(ValueError, match="task must be one of gloss, got 'classify'"):
        read(path, [GLOSS], "classify")
    with pytest.raises(ValueError, match="the tasks must be different"):
        read(path, [GLOSS, GLOSS])
    with pytest.raises(ValueError, match="the tasks must be different, and one at least"):
        read(path, [])


def test_the_words_of_known_tasks_make_a_header_and_common_ones_always_do(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", ("premise", "hypothesis", "genre"), SENTENCES)
    with pytest.raises(
        ValueError, match="premise .*, hypothesis .*there must be morphs and glosses"
    ):
        read(path, [GLOSS, *ALL], "gloss")
    path = put(tmp_path / "b.tsv", ("surfaces", "gloss_line", "x"), SENTENCES)
    assert len(rows(read(path, [GLOSS], "gloss"), "train", "valid")) == 40
    path = put(tmp_path / "c.tsv", ("source", "book", "x"), SENTENCES)
    with pytest.raises(
        ValueError, match="source .*, book .*, x .*there must be morphs and glosses"
    ):
        read(path, [GLOSS], "gloss")


def test_a_task_asked_for_is_the_task_that_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", ("text",), [(w,) for w, *_ in SENTENCES])
    assert read(path, ALL).task == "language_model"
    with pytest.raises(ValueError, match=r"only, text .*; there must be text and label \(class"):
        read(path, ALL, "classify")
    for label in ("good", "bad"):
        (tmp_path / "folders" / label).mkdir(parents=True)
        (tmp_path / "folders" / label / "1.txt").write_text(label)
    assert read(str(tmp_path / "folders"), ALL, "classify").task == "classify"
    with pytest.raises(ValueError, match="which is to be trained on"):
        read(str(tmp_path / "folders"), ALL, "translate")


def test_the_first_of_two_alike_is_inferred_and_the_other_can_be_asked_for(tmp_path: Path) -> None:
    masked = Schema("mask", LANGUAGE_MODEL.columns, AtEnd(0.5), "characters", running_text=True)
    (tmp_path / "a.txt").write_text("abcd\n" * 20)
    known = (LANGUAGE_MODEL, masked)
    assert read(str(tmp_path / "a.txt"), known).task == "language_model"
    corpus = read(str(tmp_path / "a.txt"), known, "mask")
    assert corpus.task == "mask" and "50 train, 50 valid characters" in corpus.description
    assert "the last 50% of the text" in corpus.description


def test_what_is_held_out_is_told_apart_by_the_first_line_where_a_schema_says_so(
    tmp_path: Path,
) -> None:
    texts = [(f"title {n % 30}\nverse {n}", "x", "") for n in range(300)]
    whole, first = (
        Schema("gloss", GLOSS.columns, ByHash(first_line)) for first_line in (False, True)
    )
    path = put(tmp_path / "a.jsonl", ("morphs", "glosses"), texts)

    def titles(schema: Schema) -> set[str]:
        corpus = read(path, [schema])
        train, valid = (
            {text.split("\n")[0] for text, *_ in rows(corpus, split)}
            for split in ("train", "valid")
        )
        return train & valid

    assert titles(whole) and not titles(first)
    assert "by the hash of how the morphs begins" in read(path, [first]).description


def test_a_task_that_holds_out_itself_gets_all_rows_and_says_so(tmp_path: Path) -> None:
    schema = Schema("gloss", GLOSS.columns, ByTask("the last ones are kept"))
    corpus = read(put(tmp_path / "a.csv", ("morphs", "glosses"), SENTENCES), [schema])
    assert set(corpus.splits) == {"train"} and "the last ones are kept" in corpus.description


def test_only_what_says_so_is_streamed(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", ("morphs", "glosses"), SENTENCES)
    put(tmp_path / "valid.csv", ("morphs", "glosses"), SENTENCES[:3])
    streamed = read(path, [GLOSS], streaming=True).splits["train"]
    assert all(list(row) == ["morphs", "glosses", "origin"] for row in streamed)
    with pytest.raises(ValueError, match="streaming is for classify; gloss is read whole"):
        read(path, [Schema("gloss", GLOSS.columns, streams=False), CLASSIFY], streaming=True)


PICTURES = Schema(
    "look",
    (
        Column("image", ("picture",), ColumnKind.BYTES),
        Column("label", kind=ColumnKind.LABEL),
        Column("price", ("cost",), ColumnKind.FLOAT, optional=True),
    ),
)


def test_bytes_and_floats_are_written_and_read_back_as_such(tmp_path: Path) -> None:
    found = [(bytes([n % 256, 0, 10, 255]), "cat", n / 3) for n in range(2500)]
    with ArrowWriter(tmp_path / "a.arrow", PICTURES.columns) as writer:
        for some in gathered(found):
            writer.write(some)
    assert writer.size.rows == 2500
    assert writer.size.bytes == (tmp_path / "a.arrow").stat().st_size
    stored = open_arrow(tmp_path / "a.arrow")
    assert [tuple(row.values()) for row in stored] == found
    assert [str(feature.dtype) for feature in stored.features.values()] == [
        *("binary", "string", "float64"),
    ]


def test_pictures_and_prices_come_out_of_a_parquet_file(tmp_path: Path) -> None:
    entries = [
        {"picture": bytes([n, 7]), "label": "cd"[n % 2], "cost": n / 4 if n else None}
        for n in range(20)
    ]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "a.parquet")
    corpus = read(str(tmp_path / "a.parquet"), [*ALL, PICTURES])
    assert (corpus.task, corpus.labels) == ("look", ("c", "d"))
    assert corpus.names == ("picture", "label", "cost")
    found = sorted(rows(corpus, "train", "valid"))
    assert found[1:] == [tuple(entry.values()) for entry in entries[1:]]
    assert found[0][:2] == (bytes([0, 7]), "c") and math.isnan(found[0][2])
    assert "image: " not in corpus.description and "picture: 2 bytes" in corpus.description


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "a.jsonl",
            '{"label": "c", "image": "x"}',
            "has .*: image holds names, which image cannot be",
        ),
        ("a.csv", "image,label\nx,c\n", "has .*: image holds names, which image cannot be"),
    ],
)
def test_text_is_no_picture(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name} {why}"):
        read(str(tmp_path / name), [PICTURES])


@pytest.mark.parametrize("text", ["high", "inf"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_float_that_is_no_number_is_refused_where_it_stands(
    tmp_path: Path, text: str, ending: str
) -> None:
    house = Schema("value", (Column("text"), Column("price", kind=ColumnKind.FLOAT)))
    path = put(tmp_path / f"a{ending}", ("text", "price"), [("x", "1.5"), ("y", text)])
    with pytest.raises(ValueError, match=r"a.* line [23]: 'price' must be a number, such as 4"):
        read(path, [house])


def test_floats_are_read_from_every_table(tmp_path: Path) -> None:
    house = Schema("value", (Column("text"), Column("price", kind=ColumnKind.FLOAT)))
    spelled = [(f"house {n}", repr(n / 8)) for n in range(16)]
    wanted = [(text, float(price)) for text, price in spelled]
    for ending in (".tsv", ".csv", ".jsonl"):
        path = put(tmp_path / f"a{ending}", ("text", "price"), spelled)
        assert sorted(rows(read(path, [house]), "train", "valid")) == sorted(wanted)
    numbers = [{"text": text, "price": price} for text, price in wanted]
    parquet.write_table(arrow.Table.from_pylist(numbers), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in numbers))
    for name in ("a.parquet", "b.jsonl"):
        corpus = read(str(tmp_path / name), [house])
        assert sorted(rows(corpus, "train", "valid")) == sorted(wanted)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"columns": ()}, "no column that must be there"),
        ({"columns": (Column("a"), Column("a"))}, "two columns a"),
        ({"columns": (Column("a", optional=True), Column("b"))}, "optional columns before others"),
        ({"columns": (Column("a"), Column("b", extra=True))}, "extra column that is not the last"),
        (
            {"columns": (Column("a"), *(Column(n, kind=ColumnKind.LABEL) for n in "bc"))},
            "more than one column of labels",
        ),
        ({"running_text": True}, "has 2 columns, and with running_text=True it needs 1"),
        ({"babi": True}, "has 2 columns, and with babi=True it needs 4"),
        ({"label_files": True}, "its second column is no label"),
        ({"hold_out": AtEnd()}, "holds out the end of a text"),
        ({"item_file": "a"}, "item_file='a', which is no column beside an extra one"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_schema_that_contradicts_itself_is_refused(options: dict[str, Any], why: str) -> None:
    wanted: dict[str, Any] = {"columns": (Column("a"), Column("b")), **options}
    with pytest.raises(ValueError, match=f"the schema of the task 'odd' .*{why}"):
        Schema("odd", **wanted)


def test_a_users_file_is_parsed_twice_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to see how much there is to hold out, once to write both sides."""
    parsed: Counter[str] = Counter()
    decoded = lines_module._decoded

    def counted(raw: bytes, path: Path, *rest: Any) -> Any:
        parsed[path.name] += 1
        return decoded(raw, path, *rest)

    monkeypatch.setattr(lines_module, "_decoded", counted)
    write_babi(tmp_path / "qa1_train.txt", story_rows("train", 500, 0))
    (tmp_path / "a.txt").write_text("abcd\n" * 9000)
    texts = [(f"{w} {n}", t) for n in range(150) for w, t, _ in SENTENCES]
    put(tmp_path / "a.csv", ("text", "label"), texts)
    put(tmp_path / "b.tsv", ("source", "target"), texts)
    for name in ("qa1_train.txt", "a.txt", "a.csv", "b.tsv"):
        read(str(tmp_path / name), ALL)
        count = len((tmp_path / name).read_text().splitlines())
        # What a file is, is found out by its first rows.
        assert parsed[name] <= 2 * count + 9000, name
