"""What a path holds is read as people mean it, and what is wrong is named with its place."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus
from tests.data.any_task import read


def put(folder: Path, **files: str | bytes) -> Path:
    """Files by name, `__` for a dot."""
    for name, content in files.items():
        content = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def numbered(word: str, count: int = 40) -> str:
    return "".join(f"{word} {n}\n" for n in range(count))


def rows(corpus: Corpus, split: str = "train") -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in corpus.splits[split]]


def everything(corpus: Corpus) -> list[tuple[str, ...]]:
    return [row for split in corpus.splits for row in rows(corpus, split)]


def test_paired_files_are_translations_from_english(tmp_path: Path) -> None:
    put(tmp_path, train__de=numbered("ein"), train__en=numbered("a"))
    put(tmp_path, val__de="x\n", val__en="y\n", test_2016__de="p\n", test_2016__en="q\n")
    corpus = read(str(tmp_path))
    assert (corpus.task, corpus.names) == ("translate", ("en", "de"))
    assert rows(corpus)[3] == ("a 3", "ein 3")
    assert (rows(corpus, "valid"), rows(corpus, "test")) == ([("y", "x")], [("q", "p")])
    assert "read as translate (en -> de): 40 train, 1 valid, 1 test examples" in corpus.description
    assert "for the other direction say source=de and target=en (--source de" in corpus.description
    turned = read(str(tmp_path), source="de")
    assert rows(turned)[3] == ("ein 3", "a 3")


PAIRS = [(f"good thing {n}", f"gute Sache {n}") for n in range(40)]
LABELLED = [(f"good thing {n}", "yes" if n % 3 else "no") for n in range(40)]


def as_table(path: Path, names: tuple[str, str], pairs: list[tuple[str, str]]) -> Path:
    entries = [dict(zip(names, pair, strict=True)) for pair in pairs]
    if path.suffix == ".parquet":
        parquet.write_table(arrow.Table.from_pylist(entries), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    else:
        between = "," if path.suffix == ".csv" else "\t"
        path.write_text("".join(between.join(pair) + "\n" for pair in [names, *pairs]))
    return path


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("names", "pairs", "task"),
    [
        (("source", "target"), PAIRS, "translate"),
        (("en", "de"), PAIRS, "translate"),
        (("text", "label"), LABELLED, "classify"),
        (("review", "sentiment"), LABELLED, "classify"),
    ],
)
def test_tables_say_what_they_are_by_their_columns(
    tmp_path: Path, ending: str, names: tuple[str, str], pairs: list, task: str
) -> None:
    corpus = read(str(as_table(tmp_path / f"data{ending}", names, pairs)))
    assert (corpus.task, corpus.names) == (task, names)
    assert sorted(everything(corpus)) == sorted(pairs)
    assert corpus.labels == (("no", "yes") if task == "classify" else ())


def test_a_table_without_names_is_told_apart_by_its_values(tmp_path: Path) -> None:
    put(tmp_path, a__tsv="".join("\t".join(pair) + "\n" for pair in PAIRS))
    put(tmp_path, b__tsv="".join("\t".join(pair) + "\n" for pair in LABELLED))
    put(tmp_path, c__tsv="".join("\t".join(pair[::-1]) + "\n" for pair in LABELLED))
    assert read(str(tmp_path / "a.tsv")).task == "translate"
    for name in ("b.tsv", "c.tsv"):
        corpus = read(str(tmp_path / name))
        assert corpus.task == "classify" and corpus.labels == ("no", "yes")


def test_files_and_folders_named_by_labels_are_classes(tmp_path: Path) -> None:
    first, second = tmp_path / "files", tmp_path / "folders"
    first.mkdir()
    put(first, reviews__pos=numbered("good"), reviews__neg=numbered("bad"))
    for label in ("pos", "neg"):
        (second / "train" / label).mkdir(parents=True)
        for number in range(5):
            (second / "train" / label / f"{number}.txt").write_text(f"{label}\nof {number}\n")
    corpus = read(str(first))
    assert corpus.task == "classify" and corpus.labels == ("neg", "pos")
    assert ("good 3", "pos") in everything(corpus)
    assert ("pos\nof 3", "pos") in everything(read(str(second)))


def test_plain_text_is_kept_exactly_and_its_end_held_out(tmp_path: Path) -> None:
    text = "One line.\n\n  Two\u2028lines. \n" * 50 + "no end"
    put(tmp_path, input__txt=text)
    corpus = read(str(tmp_path))
    train, valid = ("".join(t for (t,) in rows(corpus, s)) for s in ("train", "valid"))
    assert corpus.task == "language_model" and train + valid == text
    assert len(train) == int(0.9 * len(text))


def test_what_is_held_out_never_stands_in_training_too(tmp_path: Path) -> None:
    doubled = numbered("same", 300) * 2
    put(tmp_path, train__en=doubled, train__de=numbered("egal", 600))
    corpus = read(str(tmp_path))
    train, valid = ({source for source, _ in rows(corpus, s)} for s in ("train", "valid"))
    assert not train & valid and len(train | valid) == 300 and 3 < len(valid) < 40
    assert "held out for validation" in corpus.description


def test_empty_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path, train__en="a\n\nc\n \ne\n", train__de="A\nB\n\nD\nE\n", val__en="x", val__de="y")
    corpus = read(str(tmp_path))
    assert rows(corpus) == [("a", "A"), ("e", "E")] and "3 rows with nothing" in corpus.description


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train__en": "a\nb\n", "train__de": "a\n"}, r"train.en has 2 lines, .*train.de has 1;"),
        ({"train__en": "a\n", "train__de": "a\nb\nc"}, r"train.en has 1 lines, .*train.de has 3;"),
        ({"a__tsv": "a\tb\nc\n"}, r"a.tsv line 2: 1 columns, where the first row has 2"),
        ({"a__csv": 'text,label\n"x\ny",a\nz\n'}, r"a.csv line 4: 1 columns"),
        ({"a__csv": 'text,label\n"x,a\n'}, r"a.csv line 2: unexpected end"),
        (
            {"a__jsonl": '{"text": "a", "label": 1}\n{"text": {"b": [{}, 1]}, "label": 1}'},
            "no usable line|1 usable example",
        ),
        ({"a__jsonl": '{"text": "a", "label": 1}\n[1]'}, "line 2 is not a JSON object but list"),
        ({"a__jsonl": '{"text": "a", "label": 1}\n{"text'}, "line 2 is not a JSON object"),
        ({"a__jsonl": '{"text": "\\ud800", "label": 1}'}, "line 1.*half a character"),
        (
            {"a__jsonl": '{"a": "one", "b": "two", "c": "three"}'},
            "a.jsonl can be read in .* ways; say which:",
        ),
        ({"a__txt": ""}, "a.txt is empty"),
        ({"a__tsv": "\n\n"}, "a.tsv has no row"),
        ({"a__jsonl": "\n"}, "a.jsonl has no column"),
        ({"a__json": "[{}, {}]"}, "a.json has no column"),
        ({"train__en": "\n\n", "train__de": "\n\n"}, "no usable line; every one of them is"),
        ({"a__csv": "x,y", "b__csv": "x,y"}, "holds a.csv, b.csv: which"),
        ({"train__en": "a", "train__de": "b", "train__fr": "c"}, "ending in de, en, fr; say with"),
        (
            {"train__en": "ä\n".encode() + b"a\xff\n", "train__de": "b\nc\n"},
            "train.en line 2: byte 0xff at column 2",
        ),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    folder = put(tmp_path, **files)
    with pytest.raises(ValueError, match=message):
        read(str(folder))


def test_a_parquet_file_without_text_lists_its_columns(tmp_path: Path) -> None:
    parquet.write_table(arrow.table({"x": [1.5], "y": [2]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"has columns x \(numbers\), y \(whole numbers\): no"):
        read(str(tmp_path / "a.parquet"))
    put(tmp_path, b__parquet="no such thing")
    with pytest.raises(ValueError, match="b.parquet is not a Parquet file"):
        read(str(tmp_path / "b.parquet"))


def test_a_path_that_is_not_there_gets_the_nearest_names(tmp_path: Path) -> None:
    put(tmp_path, reviews__tsv="x")
    with pytest.raises(FileNotFoundError, match="there is reviews.tsv"):
        read(str(tmp_path / "review.tsv"))


def test_a_wrong_task_or_column_is_named(tmp_path: Path) -> None:
    path = as_table(tmp_path / "a.jsonl", ("text", "label"), LABELLED)
    with pytest.raises(ValueError, match="task must be one of"):
        read(str(path), "summarize")
    with pytest.raises(ValueError, match=r"no column 'txt' \(source\); did you mean text"):
        read(str(path), source="txt")


def test_a_field_longer_than_csv_allows_is_read(tmp_path: Path) -> None:
    put(tmp_path, a__csv=f"text,label\n{'x' * 200_000},a\ny,b\nz,b\n")
    assert max(len(text) for text, _ in everything(read(str(tmp_path / "a.csv")))) == 200_000


def test_what_was_read_is_found_again_while_the_files_are_the_same(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.tsv", tmp_path / "cache"
    as_table(path, ("text", "label"), LABELLED)
    first = read(str(path), cache=cache)
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*.arrow")}
    again = read(str(path), cache=cache)
    assert again.description == first.description and again.fingerprint == first.fingerprint
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*.arrow")} == before
    for stored in before:
        os.truncate(stored, 10)
    assert sorted(everything(read(str(path), cache=cache))) == sorted(LABELLED)
    as_table(path, ("text", "label"), LABELLED[1:])
    changed = read(str(path), cache=cache)
    assert changed.fingerprint != first.fingerprint
    assert sorted(everything(changed)) == sorted(LABELLED[1:])
    with pytest.raises(ValueError, match="a.tsv changed since it was read"):
        first.check()
    os.remove(path)
    with pytest.raises(ValueError, match="is gone"):
        changed.check()


def test_examples_are_shown_harmlessly(tmp_path: Path) -> None:
    put(tmp_path, input__txt="\x1b[2Jboo\u202e\n" * 20)
    says = read(str(tmp_path)).description
    assert "\x1b" not in says and "\u202e" not in says and "\\x1b[2Jboo\\u202e" in says


def test_a_stream_has_the_same_rows_in_shares(tmp_path: Path) -> None:
    put(tmp_path, train__en=numbered("a"), train__de=numbered("b"), val__en="x", val__de="y")
    streamed = read(str(tmp_path), streaming=True).splits["train"]
    stored = read(str(tmp_path)).splits["train"]
    assert list(streamed) == list(stored)
    split = extra("datasets.distributed").split_dataset_by_node
    shares = [row["source"] for rank in range(3) for row in split(streamed, rank, 3)]
    assert Counter(shares) == Counter(stored["source"])


def test_a_hub_data_set_is_read_through_the_same_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_table(tmp_path / "train.jsonl", ("text", "label"), LABELLED)
    corpus = read(f"hf:{tmp_path}", cache=tmp_path / "cache")
    assert corpus.task == "classify" and sorted(everything(corpus)) == sorted(LABELLED)

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(extra("datasets"), "load_dataset", unreachable)
    with pytest.raises(ValueError, match="hf:a/b cannot be read: no route to host"):
        read("hf:a/b")


@pytest.mark.slow
def test_a_large_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    with open(tmp_path / "a.tsv", "w") as file:
        for number in range(500_000):
            file.write(f"sentence {number} {'x' * 40}\tSatz {number} {'y' * 40}\n")
    script = (
        "import sys, resource; from pathlib import Path;"
        "from regard.data.reading.read import read;"
        "from regard.data.reading.request import DataRequest;"
        "from regard.tasks.translate.schema import SCHEMA as TRANSLATE;"
        "from regard._io.extra import extra; extra('datasets'); extra('pyarrow.parquet');"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "corpus = read(sys.argv[1], DataRequest((TRANSLATE,)), cache=Path(sys.argv[2]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    call = [sys.executable, "-c", script, str(tmp_path / "a.tsv"), str(tmp_path / "cache")]
    made = subprocess.run(call, capture_output=True, check=True, text=True)
    assert int(made.stdout) < 40 * 1024  # kB, of a file of 55 MB


MATCHES = [(f"who is {n}", f"it is {n % 7}", "yes" if n % 3 else "no") for n in range(40)]
STORIES = [(f"Mary is here\\nJohn left {n}", "Where is Mary ?", "here", "0") for n in range(40)]
CHOSEN = [(f"u{n % 5}", f"i{n % 9}", f"{n % 5}.5", f"{n}") for n in range(40)]


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("names", "found", "task"),
    [
        (("sentence1", "sentence2", "label"), MATCHES, "match"),
        (("question", "answer", "label"), MATCHES, "match"),
        (("story", "question", "answer", "support"), STORIES, "answer"),
        (("userId", "movieId", "rating", "timestamp"), CHOSEN, "recommend"),
    ],
)
def test_tables_of_three_columns_and_more_say_what_they_are(
    tmp_path: Path, ending: str, names: tuple[str, ...], found: list, task: str
) -> None:
    corpus = read(str(as_table(tmp_path / f"some{ending}", names, found)))
    assert (corpus.task, corpus.names) == (task, names)
    assert sorted(everything(corpus)) == sorted(found)
    assert set(corpus.splits) == ({"train"} if task == "recommend" else {"train", "valid"})
    assert set(corpus.labels) == {"match": {"yes", "no"}, "answer": {"here"}}.get(task, set())


def test_columns_that_may_be_missing_are_empty(tmp_path: Path) -> None:
    path = as_table(tmp_path / "u.csv", ("user", "item"), [row[:2] for row in CHOSEN])
    corpus = read(str(path))
    assert corpus.names == ("user", "item", "rating", "timestamp")
    assert rows(corpus)[3] == ("u3", "i3", "", "")
    stories = as_table(
        tmp_path / "s.tsv", ("story", "question", "answer"), [s[:3] for s in STORIES]
    )
    assert rows(read(str(stories)))[0][3] == ""


@pytest.mark.parametrize("name", ["category", "genres", "brand", "cate_id"])
def test_interactions_may_have_a_category(tmp_path: Path, name: str) -> None:
    names = ("item", name, "user")
    found = [(item, f"{item}s", user) for user, item, *_ in CHOSEN]
    corpus = read(str(as_table(tmp_path / "u.csv", names, found)))
    assert corpus.task == "recommend"
    assert corpus.names == ("user", "item", "rating", "timestamp", name)
    assert rows(corpus)[3] == ("u3", "i3", "", "", "i3s")
    assert corpus.splits["train"].column_names[-1] == "category"


def test_a_word_of_a_category_makes_no_header(tmp_path: Path) -> None:
    put(tmp_path, a__tsv="brand\tMarke\n" + "".join("\t".join(pair) + "\n" for pair in PAIRS))
    assert ("brand", "Marke") in everything(read(str(tmp_path / "a.tsv")))


def test_without_names_the_columns_are_taken_as_they_stand(tmp_path: Path) -> None:
    put(tmp_path, u__tsv="".join("\t".join(row) + "\n" for row in CHOSEN))
    assert rows(read(str(tmp_path / "u.tsv"), "recommend")) == CHOSEN
    with pytest.raises(
        ValueError, match="columns 1 .*, 2 .*, 3 .*, 4 .*; there must be left and right and label"
    ):
        read(str(tmp_path / "u.tsv"), "match")


@pytest.mark.parametrize("task", ["recommend", "answer", "match"])
def test_columns_of_another_task_are_not_taken_as_they_stand(tmp_path: Path, task: str) -> None:
    names = ("text", "label") if task == "recommend" else ("user", "item", "rating")
    path = as_table(tmp_path / "other.csv", names, [row[: len(names)] for row in MATCHES])
    with pytest.raises(ValueError, match=f"{names[0]} .*, {names[1]} .*there must be .*{task}"):
        read(str(path), task)


def test_numbers_with_a_point_are_read_where_they_may_stand(tmp_path: Path) -> None:
    entries = [{"user": "a", "item": n, "rating": n / 2, "timestamp": 1.0} for n in range(4)]
    (tmp_path / "u.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "u.parquet")
    for name in ("u.jsonl", "u.parquet"):
        assert rows(read(str(tmp_path / name)))[3] == ("a", "3", "1.5", "1.0")


def test_dates_are_read_where_they_may_stand(tmp_path: Path) -> None:
    moments = [datetime(2026, 3, day, 12, 30) for day in (3, 4)]
    table = arrow.table({"user": ["a", "b"], "item": [1, 2], "timestamp": moments})
    parquet.write_table(table, tmp_path / "u.parquet")
    assert rows(read(str(tmp_path / "u.parquet")))[1] == ("b", "2", "", "2026-03-04T12:30:00")


def test_the_files_of_recbole_name_the_types_of_their_columns(tmp_path: Path) -> None:
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    put(tmp_path, ml__inter=head + "1\t7\t3.5\t88\n2\t7\t1\t89\n", ml__item="item_id:token\n7\n")
    corpus = read(str(tmp_path))
    assert (corpus.task, rows(corpus)) == (
        "recommend",
        [("1", "7", "3.5", "88"), ("2", "7", "1", "89")],
    )


def test_files_of_recbole_about_items_and_users_are_no_pair(tmp_path: Path) -> None:
    head = "user_id:token\titem_id:token\n"
    about = {"ml__item": "item_id:token\tx:float\n7\t1\n", "ml__user": "user_id:token\n1\n"}
    put(tmp_path, ml__inter=head + "1\t7\n2\t7\n", ml__kg="a\tb\n", ml__link="7\tq\n", **about)
    corpus = read(str(tmp_path))
    assert (corpus.task, rows(corpus)[0]) == ("recommend", ("1", "7", "", ""))
    assert "ml.item has no column of words that items share, and is not read" in corpus.description


def test_recommendations_are_not_streamed(tmp_path: Path) -> None:
    put(tmp_path, ml__inter="user_id:token\titem_id:token\n1\t7\n1\t8\n")
    with pytest.raises(ValueError, match="recommend is read whole"):
        read(str(tmp_path), streaming=True)


@pytest.mark.parametrize("task", ["match", "answer", "recommend"])
def test_two_files_side_by_side_have_no_three_columns(task: str, tmp_path: Path) -> None:
    put(tmp_path, train__en=numbered("a"), train__de=numbered("b"))
    with pytest.raises(ValueError, match=f"de, en, to translate or .*; to {task}, give one table"):
        read(str(tmp_path), task)


def test_what_may_be_missing_may_be_missing_in_a_single_row(tmp_path: Path) -> None:
    entries = [
        {"user": "a", "item": "b", "rating": 4.5, "brand": "Z"},
        {"user": "a", "item": "c", "rating": None, "brand": None},
        {"user": "a", "item": "d"},
    ]
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    put(tmp_path, u__jsonl=text)
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "u.parquet")
    wanted = [("a", "b", "4.5", "", "Z"), ("a", "c", "", "", ""), ("a", "d", "", "", "")]
    hub = tmp_path / "hub"
    hub.mkdir()
    for path in (
        str(tmp_path / "u.jsonl"),
        str(tmp_path / "u.parquet"),
        f"hf:{put(hub, u__jsonl=text)}",
    ):
        assert rows(read(path, cache=tmp_path / "cache")) == wanted
    put(tmp_path, u__jsonl=text + '{"user": null, "item": "d"}\n')
    with pytest.raises(ValueError, match="u.jsonl line 4: the user is empty"):
        read(str(tmp_path / "u.jsonl"))


def test_what_is_no_file_is_told_apart_from_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(Path(), a__csv="text,label", b__csv="text,label")
    Path("gone.csv").symlink_to("nowhere.csv")
    os.mkfifo("pipe")
    for name, why in {
        "gone.csv": "gone.csv is a link to nowhere.csv, which does not exist",
        "-": "standard input is no data",
        "a.csv,b.csv": "several files follow --data each",
        "pipe": "pipe is no file but a pipe or a device",
        "/dev/null": "/dev/null is no file but",
    }.items():
        with pytest.raises((ValueError, FileNotFoundError), match=why):
            read(name)


def test_tables_beside_folders_of_texts_are_asked_about(tmp_path: Path) -> None:
    for label in ("pos", "neg"):
        (tmp_path / label).mkdir()
        for n in range(9):
            (tmp_path / label / f"{n}.txt").write_text(f"it is {label} {n}\n")
    (tmp_path / "films.csv").write_text("text,label\n" + "so,a\nno,b\n" * 9)
    with pytest.raises(ValueError, match="films.csv, and texts in the folders neg, pos: name the"):
        read(str(tmp_path))
    assert set(read(str(tmp_path), "classify").labels) == {"pos", "neg"}
