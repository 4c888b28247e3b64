"""The rows of a file are answered each in its place, whatever the file and whatever is in it."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from regard.data.reading.lines import MAX_LINE_BYTES
from regard.run.askers import asker
from regard.run.predicted import Predicted, predicted
from regard.run.questions import Question
from regard.run.replies import AT_ONCE, replies
from regard.run.settings import DataSettings
from regard.tasks.predictor import Answer, Predictor


class Echo(Predictor):
    """Answers with what it was asked in capitals; it cannot read what has an exclamation mark."""

    def __init__(self, task: str = "classify") -> None:
        super().__init__(None, None)
        self.task = task  # type: ignore[misc]
        self.sizes: list[int] = []

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        self.sizes.append(len(inputs))
        texts = [each if isinstance(each, str) else "+".join(each) for each in inputs]
        if any("!" in text for text in texts):
            raise ValueError("an exclamation mark cannot be read")
        return [Answer(text, ((text.upper(), -0.5), ("other", -1.0))) for text in texts]

    @classmethod
    def load_coder(cls, folder: Path, entries: Any) -> Any:
        raise NotImplementedError


class Trained:
    """Settings of a run as far as they say how its data is read."""

    def __init__(self, **data: Any) -> None:
        self.data = DataSettings(**data)


def ask(
    path: Path,
    out: Path | None = None,
    *,
    task: str = "classify",
    trained: Trained | None = None,
    num_answers: int = 1,
    force: bool = False,
    columns: dict[str, str] | None = None,
    **reading: Any,
) -> Predicted:
    made = asker(Echo(task), cast(Any, trained), columns or {}, **reading)
    return predicted(made, path, out, num_answers, force)


TEXTS = ["so good", "a, b", 'say "hi"', "tab\there", "two\nlines", "日本 語", "  spaced "]


def table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows in the format of the file's ending."""
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(rows), indent=1), "utf-8")
    elif path.suffix == ".xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        book.active.append(list(rows[0]))
        for row in rows:
            book.active.append(list(row.values()))
        book.save(path)
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=mark)
            writer.writerow(rows[0])
            writer.writerows(row.values() for row in rows)
    return path


def read_back(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return cast(list[dict[str, Any]], parquet.read_table(path).to_pylist())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    head, *lines = [line.split("\t") for line in text.split("\n")[:-1]]
    return [dict(zip(head, line, strict=True)) for line in lines]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"])
def test_a_row_of_every_format_is_answered_in_its_place(ending: str, tmp_path: Path) -> None:
    rows = [{"id": f"n{n}", "text": text, "label": "x"} for n, text in enumerate(TEXTS * 3)]
    found = ask(table(tmp_path / f"q.{ending}", rows))
    wanted = [str(row["text"]).upper() for row in rows]
    assert [str(each) for each in found.answers] == wanted
    assert (found.rows, found.answered) == (21, 21)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("came", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_what_was_read_with_answers_beside_it(
    came: str, ending: str, tmp_path: Path
) -> None:
    rows = [{"id": f"n{n}", "text": text, "label": "x"} for n, text in enumerate([*TEXTS, " "])]
    path, out = table(tmp_path / f"q.{came}", rows), tmp_path / f"a.{ending}"
    assert ask(path, out, num_answers=2).answers == ()
    found = read_back(out)
    assert [list(row) for row in found] == [
        ["id", "text", "label", "answer", "probability", "answers"]
    ] * len(rows)
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    nothing = "" if ending == "csv" else None
    wanted = [*(text.upper() for text in TEXTS), nothing]
    assert [row["answer"] for row in found] == wanted
    assert float(found[0]["probability"]) == pytest.approx(0.6065, abs=1e-4)
    several = found[0]["answers"]
    assert (json.loads(several) if ending == "csv" else several) == ["SO GOOD", "other"]
    assert found[-1]["probability"] == nothing and found[-1]["answers"] == nothing


def test_a_line_is_a_row_where_tabs_and_ends_of_lines_are_escaped(tmp_path: Path) -> None:
    path = table(tmp_path / "q.jsonl", [{"text": text} for text in TEXTS])
    ask(path, tmp_path / "a.tsv")
    assert [row["text"] for row in read_back(tmp_path / "a.tsv")][3:5] == [
        "tab\\there",
        "two\\nlines",
    ]
    ask(path, tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text("utf-8").split("\n")
    assert lines[:-1] == [text.upper().replace("\n", "\\n").replace("\t", "\\t") for text in TEXTS]


def test_parquet_keeps_what_its_columns_hold(tmp_path: Path) -> None:
    rows = [{"n": 1, "text": "a b", "deep": {"x": [1, 2]}}, {"n": None, "text": "c", "deep": None}]
    kinds = {"n": pyarrow.int16(), "text": pyarrow.string()}
    held = pyarrow.schema(
        [*kinds.items(), ("deep", pyarrow.struct({"x": pyarrow.list_(pyarrow.int8())}))]
    )
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=held), tmp_path / "q.parquet")
    ask(tmp_path / "q.parquet", tmp_path / "a.parquet")
    found = parquet.read_table(tmp_path / "a.parquet")
    assert found.schema.remove(4).remove(3) == held
    assert found.drop_columns(["answer", "probability"]).to_pylist() == rows


def test_objects_with_other_keys_further_down_lose_none(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"a {n}", "n": n} for n in range(300)]
    rows += [{"text": "b", "n": "many", "more": {"x": 1}}]
    path = table(tmp_path / "q.jsonl", rows)
    ask(path, tmp_path / "a.csv")
    assert read_back(tmp_path / "a.csv")[-1]["more"] == '{"x": 1}'
    ask(path, tmp_path / "a.parquet")
    last = read_back(tmp_path / "a.parquet")[-1]
    assert (last["n"], last["more"]["x"], last["answer"]) == ("many", 1, "B")
    ask(path, tmp_path / "a.jsonl")
    assert read_back(tmp_path / "a.jsonl")[-1]["more"] == {"x": 1}


def test_cells_that_spell_objects_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    rows = [{"doc": json.dumps({"text": f"so {n}"}), "n": str(n)} for n in range(25)]
    path = table(tmp_path / "q.csv", rows)
    path.write_text(path.read_text().replace("\n", "\n\n", 1) + "odd,9\n")
    ask(path, tmp_path / "a.csv", columns={"text": "doc.text"})
    found = read_back(tmp_path / "a.csv")
    assert [row["answer"] for row in found] == ["", *(f"SO {n}" for n in range(25)), ""]
    assert [(row["doc"], row["n"]) for row in found[1:26]] == [(r["doc"], r["n"]) for r in rows]


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=9)


@given(st.lists(st.one_of(st.just(""), st.just("!"), st.just(" \t"), LINE), min_size=1))
def test_answer_k_belongs_to_line_k(tmp_path_factory: Any, found: list[str]) -> None:
    lines = [f"q {line}" if line.strip() not in ("", "!") else line for line in found]
    path = tmp_path_factory.mktemp("lines") / "q.txt"
    path.write_bytes("".join(f"{line}\n" for line in ["q first", *lines]).encode())
    answers = ask(path, as_text=True).answers
    wanted = [None if not line.strip() or "!" in line else line.upper() for line in lines]
    assert answers == ("Q FIRST", *wanted)


@given(st.lists(st.one_of(st.just(""), st.just("!"), LINE), min_size=1, max_size=200))
def test_answer_k_belongs_to_row_k(tmp_path_factory: Any, found: list[str]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = [{"text": text, "n": str(n)} for n, text in enumerate(["first", *found])]
    for ending in ("csv", "jsonl"):
        out = folder / f"a-{ending}.jsonl"
        ask(table(folder / f"q.{ending}", rows), out, columns={"text": "text"})
        read = read_back(out)
        assert [row["n"] for row in read] == [row["n"] for row in rows]
        for row, asked in zip(read, rows, strict=True):
            silent = not asked["text"].strip() or "!" in asked["text"]
            assert row["answer"] == (None if silent else asked["text"].upper())


def test_rows_that_cannot_be_read_are_named_and_shift_no_other(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('text,n\na,1\nb,2,3\n,4\nc!,5\n"d\ne",6\nf,7\n')
    found = ask(path)
    assert found.answers == ("A", None, None, None, "D\nE", "F")
    (said,) = found.notes
    assert said.startswith("no answer to 2 rows of 6: ")
    assert "q.csv line 3: 3 columns, where the first row has 2" in said
    assert "q.csv line 5: an exclamation mark cannot be read" in said
    path = tmp_path / "q.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n[1]\n{"text": "b"}\n{"text": null}\n')
    assert ask(path).answers == ("A", None, None, "B", None)


def test_lines_that_are_no_text_or_too_long_have_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(b"a\n\xff\xfeb\xff\n\nc\n" + b"x" * (MAX_LINE_BYTES + 9) + b"\nd")
    found = ask(path, encoding="utf-8")
    assert found.answers == ("A", None, None, "C", None, "D")
    assert "line 2: byte 0xff at column 1 is not UTF-8" in found.notes[0]
    assert "line 5: 1,048,586 bytes are more than a line may have" in found.notes[0]


def test_a_file_in_which_nothing_can_be_read_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("a!\n\nb!\n")
    with pytest.raises(ValueError, match="none of the 3 rows can be read: .*line 1: an exclam"):
        ask(tmp_path / "q.txt", tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["q.txt"]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_other_encodings_are_found_or_said(encoding: str, tmp_path: Path) -> None:
    texts = ["Café – naïve façade", "le déjeuner à l'hôtel"] * 9
    path = tmp_path / "q.csv"
    path.write_bytes("".join(f"{text}\n" for text in ["text", *texts]).encode(encoding))
    wanted = tuple(text.upper() for text in texts)
    assert ask(path).answers == wanted == ask(path, encoding=encoding).answers


def test_a_packed_file_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "q.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\na,x\n\nb,y\n"))
    assert ask(path).answers == ("A", None, "B")


def test_lines_of_fasttext_are_asked_without_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("__label__x so good\n__label__y so bad\n" * 3)
    assert ask(path, compare=True).answers[:2] == ("SO GOOD", "SO BAD")


def test_the_columns_are_those_of_training(tmp_path: Path) -> None:
    rows = [{"text": "not this one", "review": f"this one {n}"} for n in range(30)]
    path = table(tmp_path / "q.csv", rows)
    wanted = tuple(row["review"].upper() for row in rows)
    trained = Trained(text="review", label="stars")
    found = ask(path, trained=trained)
    assert (found.answers, found.notes) == (wanted, ())
    other = ask(path, trained=trained, columns={"text": "text"})
    assert other.answers[0] == "NOT THIS ONE"
    both = ask(path, trained=trained, columns={"text": "text,review"})
    assert both.answers[0] == "NOT THIS ONE\nTHIS ONE 0"


def test_a_column_of_training_that_is_not_there_is_looked_for_and_said(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", [{"id": n, "comment": f"so good {n}"} for n in range(9)])
    found = ask(path, trained=Trained(text="review", label="stars"))
    assert found.answers[0] == "SO GOOD 0"
    assert "text is read from 'comment': " in found.notes[0] and "'review'" in found.notes[0]


def test_numbers_of_columns_are_no_names_of_others(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", [{"id": n, "text": f"so good {n}"} for n in range(9)])
    assert ask(path, trained=Trained(text="1", label="2")).answers[0] == "SO GOOD 0"


def test_what_cannot_be_told_is_asked_for_by_options_that_there_are(tmp_path: Path) -> None:
    path = table(
        tmp_path / "q.csv", [{"left": f"a b c {n}", "right": f"c d {n}"} for n in range(9)]
    )
    with pytest.raises(ValueError, match="--text left") as caught:
        ask(path)
    assert "--task" not in str(caught.value)
    with pytest.raises(ValueError, match="no column 'txet' .text.; there are left, right"):
        ask(path, columns={"text": "txet"})
    with pytest.raises(ValueError, match="classify, which has no --left; it has --text, --label"):
        ask(path, columns={"left": "left"})


def test_pairs_are_two_columns_or_lines_with_a_tab(tmp_path: Path) -> None:
    rows = [{"premise": f"a {n}", "hypothesis": "b, c"} for n in range(3)]
    path = table(tmp_path / "q.csv", rows)
    assert ask(path, task="match").answers == ("A 0+B, C", "A 1+B, C", "A 2+B, C")
    named = ask(path, task="match", columns={"left": "hypothesis", "right": "premise"})
    assert named.answers[0] == "B, C+A 0"


def test_lines_with_tabs_keep_the_blank_ones_in_place(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("a b\tc d\n\ne f\tg h\n")
    assert ask(path, task="match").answers == ("A B+C D", None, "E F+G H")


def test_words_are_a_list_or_a_text(tmp_path: Path) -> None:
    words = table(tmp_path / "w.jsonl", [{"tokens": ["in", "New York"], "tags": ["O", "B"]}] * 3)
    assert ask(words, task="tag").answers[0] == "IN\tNEW YORK"
    texts = table(tmp_path / "q.csv", [{"text": f"in New York, {n}"} for n in range(3)])
    assert ask(texts, task="tag").answers[0] == "IN NEW YORK, 0"


def test_stories_and_passages_are_asked_with_their_questions(tmp_path: Path) -> None:
    path = tmp_path / "stories.txt"
    path.write_text("1 Ann sits.\n2 Who sits?\tAnn\t1\n1 Bo sits.\n2 Who sits?\tBo\t1\n")
    assert ask(path, task="answer").answers == ("ANN SITS.+WHO SITS?", "BO SITS.+WHO SITS?")
    rows = [{"context": "Ann lives in Rome.", "question": "Where?", "answer": "Rome"}] * 3
    path = table(tmp_path / "q.jsonl", rows)
    assert ask(path, task="extract").answers[0] == "ANN LIVES IN ROME.+WHERE?"


def test_what_is_asked_alone_may_be_called_a_text_in_every_task(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", [{"id": n, "sentence": "so it is"} for n in range(5)])
    found = ask(path, task="translate", trained=Trained(source="en", target="de"))
    assert found.answers[0] == "SO IT IS" and "'sentence'" in found.notes[0]


def test_an_answer_is_compared_with_what_is_right(tmp_path: Path) -> None:
    rows = [{"text": "good", "label": "Good "}, {"text": "bad", "label": "good"}]
    path = table(tmp_path / "q.csv", [*rows, {"text": "odd", "label": ""}])
    assert ask(path, compare=True).notes[-1] == "1 of 2 answers are right (50.0%)"
    assert ask(path).notes == ()
    exact = ask(path, compare=True, trained=Trained(labels="exact"))
    assert exact.notes[-1] == "0 of 2 answers are right (0.0%)"
    numbers = table(tmp_path / "n.csv", [{"text": "3", "score": "2"}, {"text": "4", "score": "4"}])
    found = ask(numbers, task="regress", compare=True, columns={"text": "text"})
    assert found.notes[-1] == "2 answers are off by 0.5 on average"
    with pytest.raises(ValueError, match="has no column of what is right.*--label COLUMN"):
        ask(table(tmp_path / "u.csv", [{"text": "a"}]), compare=True)


def test_a_column_called_answer_stays_what_it_is(tmp_path: Path) -> None:
    path = table(tmp_path / "q.jsonl", [{"text": "a", "answer": "mine"}])
    found = ask(path, tmp_path / "a.jsonl")
    assert read_back(tmp_path / "a.jsonl")[0] | {"predicted_probability": 0} == {
        "text": "a",
        "answer": "mine",
        "predicted_answer": "A",
        "predicted_probability": 0,
    }
    assert "'predicted_answer'" in found.notes[-1]


def test_numbers_have_no_probability(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", [{"text": "3"}])
    ask(path, tmp_path / "a.csv", task="regress")
    assert read_back(tmp_path / "a.csv") == [{"text": "3", "answer": "3"}]


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("a.xyz", "must end in one of .csv, .tsv, .jsonl, .txt, .parquet"),
        ("q.csv", "is there already; say --force"),
        ("no/a.csv", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(
    out: str, why: str, tmp_path: Path
) -> None:
    path = table(tmp_path / "q.csv", [{"text": "a"}])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=why):
        ask(path, tmp_path / out)
    assert path.read_bytes() == before


def test_a_file_may_be_written_over_itself(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", [{"text": f"a {n}"} for n in range(200)])
    ask(path, path, force=True)
    assert [row["answer"] for row in read_back(path)] == [f"A {n}" for n in range(200)]
    assert [each.name for each in tmp_path.iterdir()] == ["q.csv"]


def test_no_more_rows_are_read_than_are_asked_together() -> None:
    taken = 0

    def endless() -> Iterator[Question]:
        nonlocal taken
        for number in count():
            taken += 1
            yield Question(f"row {number}", {}, f"row {number}")

    predictor = Echo()
    found = replies(predictor, endless())
    assert [next(found).answer for _ in range(AT_ONCE)][-1] is not None
    assert taken == AT_ONCE
    next(found)
    assert taken == 2 * AT_ONCE and predictor.sizes == [AT_ONCE, AT_ONCE]


def test_one_row_that_cannot_be_read_costs_its_neighbours_nothing() -> None:
    rows = [Question(f"row {n}", {}, "a!" if n == 3 else f"a {n}") for n in range(9)]
    found = list(replies(Echo(), rows))
    assert [reply.row for reply in found] == list(range(1, 10))
    assert [reply.answer is None for reply in found].index(True) == 3
    assert found[3].why == "row 3: an exclamation mark cannot be read"


OBJECTS: list[tuple[str, str, str | None]] = [
    ("match", '{"left": "a,\\tb", "right": "c"}', "A,\tB+C"),
    ("match", '{"premise": "a", "hypothesis": "b"}', "A+B"),
    ("match", '{"left": "a"}', None),
    ("classify", '{"text": "a\\nb", "n": 1}', "A\nB"),
    ("tag", '{"text": "in New York, now"}', "IN NEW YORK, NOW"),
    ("tag", '{"words": ["in", "New York"]}', "IN\tNEW YORK"),
    ("classify", '{"other": "a"}', '{"OTHER": "A"}'),
    ("classify", "{brace", "{BRACE"),
    ("classify", '{"text": ', '{"TEXT": '),
    ("classify", "[1, 2]", "[1, 2]"),
]


class Pairs(Echo):
    """Reads two texts with a tab between as a pair."""

    @staticmethod
    def parse(text: str) -> tuple[str, ...]:
        if text.count("\t") != 1:
            raise ValueError("the text has no tab")
        return tuple(text.split("\t"))


@pytest.mark.parametrize(("task", "line", "wanted"), OBJECTS)
def test_an_object_with_the_names_of_roles_is_a_row_and_all_else_a_text(
    task: str, line: str, wanted: str | None
) -> None:
    names = {"left": "premise", "right": "hypothesis"} if task == "match" else {"text": "review"}
    predictor = Pairs(task) if task == "match" else Echo(task)
    made = asker(predictor, cast(Any, Trained(**names)), {})
    stream = made.of_stream(io.BytesIO(f"{line}\n".encode()), "standard input")
    (reply,) = replies(predictor, stream.rows())
    assert (reply.answer.best if reply.answer else None) == wanted
    if wanted is None:
        assert reply.why == "standard input line 1: there is no 'right', only left"


def test_an_object_is_a_text_where_that_is_said() -> None:
    made = asker(Echo(), None, {}, as_text=True)
    (question,) = made.of_texts(['{"text": "a"}']).rows()
    assert question.asked == '{"text": "a"}'


@pytest.mark.slow
def test_a_large_file_is_answered_in_bounded_memory(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with open(path, "w") as file:
            file.write("text,label\n")
            file.writelines(f"a text with the number {n},x\n" for n in range(rows))
        tracemalloc.start()
        assert ask(path, tmp_path / f"{rows}.jsonl").rows == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)  # what is imported, and kept from then on
    # Two pieces of a megabyte, by which the encoding is found; the rows would be more.
    assert peak(20_000) < 3 * 2**20


BLANK = {
    "csv": 'id,text\n1,a\n\n2,b\n\n\n3,"two\nlines"\n\n',
    "tsv": "id\ttext\n1\ta\n\n2\tb\n\n\n3\tc\n\n",
    "jsonl": '{"id": 1, "text": "a"}\n\n{"text": "b"}\n\n  \n{"text": "c"}\n\n',
    "txt": "a\n\nb\n\n\nc\n\n",
}


@pytest.mark.parametrize("came", BLANK)
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "txt"])
def test_blank_lines_stay_in_their_place(came: str, ending: str, tmp_path: Path) -> None:
    path, out = tmp_path / f"q.{came}", tmp_path / f"a.{ending}"
    path.write_text(BLANK[came])
    found = ask(path)
    third = "TWO\nLINES" if came == "csv" else "C"
    assert found.answers == ("A", None, "B", None, None, third, None)
    assert (found.rows, found.answered) == (7, 3)
    assert ask(path, out).rows == 7
    if ending == "txt":
        lines = out.read_text().split("\n")[:-1]
        assert lines == ["A", "", "B", "", "", third.replace("\n", "\\n"), ""]
        return
    answers = [row["answer"] or None for row in read_back(out)]
    wanted = third.replace("\n", "\\n") if ending == "tsv" else third
    assert answers == ["A", None, "B", None, None, wanted, None]


def test_blank_lines_before_the_names_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("\n\nid,text\n1,a\n")
    assert ask(path).answers == ("A",)


def through(text: str, task: str = "classify", **options: Any) -> list[Any]:
    trained = options.pop("trained", Trained(text="review"))
    made = asker(Echo(task), cast(Any, trained), options.pop("columns", {}), **options)
    found = made.of_stream(io.BytesIO(text.encode()), "standard input")
    return [reply.answer and reply.answer.best for reply in replies(Echo(task), found.rows())]


@pytest.mark.parametrize(
    "head", ["id,review", "review,label", '"id","review"', "id\treview", "ID;Review", "id,text"]
)
def test_names_of_columns_on_standard_input_are_no_text(head: str) -> None:
    mark = next(each for each in ",\t;" if each in head)
    rows = [("1", "a film"), ("2", "the film"), ("3", "no film")]
    cells = [row if "label" not in head else row[::-1] for row in rows]
    text = "".join(mark.join(row) + "\n" for row in [head.split(mark), *cells])
    assert through(text) == ["A FILM", "THE FILM", "NO FILM"]
    assert through(text, as_text=True)[0] == head.upper()


@pytest.mark.parametrize(
    "text",
    ["so, text\nand so on\n", "review\na film\n", "a film, I review\nb\n", "so,so\n1,2\n",
     "review,review\na,b\n", "good,bad\nreview\n", "\na,b\n"],
)  # fmt: skip
def test_what_is_no_name_on_standard_input_stays_a_text(text: str) -> None:
    lines = text.split("\n")[:-1]
    assert through(text) == [line.upper() or None for line in lines]


def test_a_table_on_standard_input_keeps_its_columns_and_is_called_so(tmp_path: Path) -> None:
    made = asker(Echo(), cast(Any, Trained(text="review")), {})
    text = 'id,review\n1,"a, b"\n\n2,c,d\n3,"two\nlines"\n'
    found = made.of_stream(io.BytesIO(text.encode()), "standard input")
    assert found.notes[0].startswith("standard input is a table, by its first line; --as-text")
    first, blank, long, last = found.rows()
    assert first.kept == {"id": "1", "review": "a, b"} and last.asked == "two\nlines"
    assert blank.asked is None and not blank.why
    assert long.why.startswith("standard input line 4: 3 columns, where the first row has 2")
    pairs = Trained(left="premise", right="hypothesis")
    assert through("premise\thypothesis\na\tb\n", "match", trained=pairs) == ["A+B"]


def test_the_copy_of_standard_input_goes_with_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert through("id,review\n1,a\n2,b\n") == ["A", "B"]
    assert not list(tmp_path.iterdir())
