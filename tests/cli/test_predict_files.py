"""`regard predict RUN FILE`: rows in, the same rows with answers out, of every task."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import regard
from regard.cli import main
from tests.cli.small import as_table, put, sets

Call = Callable[..., str]
Said = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Make a call that works: what it printed, and what it said beside that."""

    def call(*arguments: object) -> tuple[str, list[str]]:
        capsys.readouterr()
        code = main([*map(str, arguments)])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed.out, printed.err.splitlines()

    return call


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of tasks whose inputs are not one text."""
    folder = tmp_path_factory.mktemp("more")
    items = ["Toy Story 16 (1976), part 16", "Heat", *(f"Film {n}" for n in range(20))]
    events = [(f"u{n % 15}", items[n * 7 % 22], n) for n in range(150)]
    rows = {
        "match": [("premise", "hypothesis", "gold_label")]
        + [(f"ab {n % 5}", f"cd {n % 3}", "yes" if n % 2 else "no") for n in range(60)],
        "recommend": [("user", "item", "time"), *events],
    }
    runs = {}
    for task, table in rows.items():
        with open(folder / f"{task}.csv", "w", newline="") as file:
            csv.writer(file).writerows(table)
        settings = [*sets("embed_dim=8"), "--steps", "1", "--threads", "1"]
        out = ["--out", str(folder / task)]
        assert main(["train", "--data", str(folder / f"{task}.csv"), *out, *settings]) == 0
        runs[task] = folder / task
    numbers = put(folder, "numbers.csv")
    out = ["--task", "regress", "--out", str(folder / "regress")]
    assert main(["train", "--data", str(numbers), *out, *settings]) == 0
    return {**runs, "regress": folder / "regress"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_what_was_trained_on_can_be_asked(
    ending: str, runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    rows = [("ab", "with"), ("e", "without"), ("ab", "without")]
    path = as_table(tmp_path / f"q.{ending}", ("text", "label"), rows)
    out = tmp_path / "a.csv"
    printed, notes = said("predict", runs["classify"], path, "--out", out, "--compare")
    assert printed == "" and notes[-1] == f"regard: 3 rows of {path} in {out}"
    assert "of 3 answers are right" in notes[-2]
    found = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [(row["text"], row["label"]) for row in found] == rows
    lines = said("predict", runs["classify"], path)[0].splitlines()
    assert [row["answer"] for row in found] == lines
    typed = [said("predict", runs["classify"], text, "--no-show")[0].strip() for text, _ in rows]
    assert typed == lines


def test_a_copied_model_finds_its_columns_by_their_names(
    runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    model = (runs["classify"] / "best").rename(tmp_path / "model")
    try:
        path = as_table(tmp_path / "q.csv", ("id", "text"), [("1", "ab"), ("2", "e")])
        assert len(said("predict", model, path)[0].splitlines()) == 2
    finally:
        model.rename(runs["classify"] / "best")


def test_standard_output_takes_the_rows_too(
    runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    path = as_table(tmp_path / "q.csv", ("text", "label"), [("ab", "with")])
    printed, notes = said("predict", runs["classify"], path, "--out", "-")
    assert printed.splitlines()[0] == "text,label,answer,probability"
    assert notes == [f"regard: 1 row of {path} in standard output"]
    (tmp_path / "q.txt").write_text("ab\n\ne\n")
    lines = said("predict", runs["classify"], tmp_path / "q.txt", "--out", "-")[0].splitlines()
    assert lines[0] == "text\tanswer\tprobability" and lines[2] == "\t\t" and len(lines) == 4


def test_texts_that_are_typed_can_be_written_too(
    runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    out = tmp_path / "a.jsonl"
    said("predict", runs["classify"], "ab", "e", "--out", out)
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == ["ab", "e"]


def test_nothing_is_written_over_unless_that_is_said(
    runs: dict[str, Path], tmp_path: Path, mistake: Call, said: Said
) -> None:
    path = as_table(tmp_path / "q.csv", ("text", "label"), [("ab", "with")])
    before = path.read_bytes()
    assert "--force" in mistake("predict", runs["classify"], path, "--out", path)
    assert path.read_bytes() == before
    said("predict", runs["classify"], path, "--out", path, "--force")
    assert b"answer" in path.read_bytes()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--out", "a.pdf"], "must end in one of"),
        (["--out", "a.csv", "--json"], "leave one of them out"),
        (["--compare"], "--compare needs a file"),
        (["--left", "x"], "which has no --left; it has --text"),
        (["--encoding", "klingon"], "no encoding is called 'klingon'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    options: list[str], why: str, runs: dict[str, Path], mistake: Call
) -> None:
    assert why in mistake("predict", runs["classify"], "ab", *options)


@pytest.mark.parametrize("name", ["nofile.txt", "no.csv", "q.jsonl.gz", "x.parquet", "here/a"])
def test_a_file_that_is_not_there_is_no_text(
    name: str,
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Call,
    done: Call,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "b").write_text("ab")
    said = mistake("predict", runs["translate"], name)
    assert f"{name} does not exist; in " in said and "--as-text" in said
    done("predict", runs["language_model"], name, "--as-text")


def test_a_folder_is_no_text_and_all_else_is_one(
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Call,
    done: Call,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.csv").write_text("text\nab\n")
    said = mistake("predict", runs["classify"], "good")
    assert "good is a folder; name one of its files: a.csv" in said
    for text in ("and/or", "ab e.txt", "e.g.", "a" * 300, "{brace", '{"a": 1}'):
        assert done("predict", runs["language_model"], text, "--no-show")


def test_half_a_character_is_one_sentence(runs: dict[str, Path], mistake: Call) -> None:
    said = mistake("predict", runs["classify"], os.fsdecode(b"caf\xe9"))
    assert "text 1 is not UTF-8: its character 4" in said


def test_standard_input_is_read_in_the_encoding_that_is_said(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    content = io.BytesIO('{"text": "ab é"}\n\nab\n'.encode("cp1252"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=content))
    printed = said("predict", runs["classify"], "-", "--encoding", "cp1252", "--json")[0]
    found = [json.loads(line) for line in printed.splitlines()]
    assert [row["text"] for row in found] == ['{"text": "ab é"}', "", "ab"]
    assert [row["unknown"] for row in found] == [["é"], [], []]


def test_pairs_with_commas_tabs_and_line_ends_are_given_as_rows_and_objects(
    more: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    pairs = [{"premise": "ab, 1", "hypothesis": "cd\t1\ncd"}, {"premise": "ab", "hypothesis": ""}]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    printed, notes = said("predict", more["match"], path, "--out", "-")
    first, second = [json.loads(line) for line in printed.splitlines()]
    assert {**pairs[0], "answer": first["answer"]}.items() <= first.items()
    assert second["answer"] is None and "line 2: the right sentence" in notes[0]
    typed = said("predict", more["match"], json.dumps({"left": "ab, 1", "right": "cd\t1\ncd"}))[0]
    assert typed.splitlines()[0] == first["answer"]


def test_items_with_commas_are_known_by_their_names(
    more: dict[str, Path], tmp_path: Path, said: Said, mistake: Call
) -> None:
    long = "Toy Story 16 (1976), part 16"
    for text in (f'"{long}",Heat', f"{long}\tHeat", json.dumps({"items": [long, "Heat"]})):
        found = json.loads(said("predict", more["recommend"], text, "--json")[0])
        assert found["inputs"] == [long, "Heat"] and found["unknown"] == []
    alone = json.loads(said("predict", more["recommend"], long, "--json")[0])
    assert alone["inputs"] == [long]
    assert regard.Run(more["recommend"]).predict([long])[0].inputs == (long,)


def test_users_are_asked_for_by_what_they_chose(
    more: dict[str, Path], tmp_path: Path, said: Said, mistake: Call
) -> None:
    run = more["recommend"]
    known = json.loads(said("predict", run, '{"user": "u1"}', "--json")[0])
    events = list(csv.DictReader(io.StringIO(run.with_suffix(".csv").read_text())))
    chosen = [row["item"] for row in events if row["user"] == "u1"]
    assert known["inputs"] == chosen
    assert "the run's data has no user 'nobody'" in mistake("predict", run, '{"user": "nobody"}')
    found = said("predict", run, run.with_suffix(".csv"), "--json")[0].splitlines()
    last = max(n for n, row in enumerate(events) if row["user"] == "u1")
    assert len(found) == len(events) and json.loads(found[last])["inputs"] == chosen
    (tmp_path / "users.csv").write_text("user\nu1\n\nnobody\n")
    lines, notes = said("predict", run, tmp_path / "users.csv")
    assert lines.split("\n") == [known["answer"], "", "", ""] and "no user 'nobody'" in notes[-1]


def test_translations_of_several_lines_stay_one_row(
    runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    with open(tmp_path / "q.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "source"], ["1", "ab\ncd, e"], ["2", "e"]])
    out = tmp_path / "a.csv"
    said("predict", runs["translate"], tmp_path / "q.csv", "--out", out)
    found = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["source"] for row in found] == ["ab\ncd, e", "e"]
    assert said("predict", runs["translate"], tmp_path / "q.csv")[0].count("\n") == 2


def test_texts_are_continued_line_by_line(
    runs: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    (tmp_path / "q.txt").write_text("ab\n\ncd, ab\n")
    out = tmp_path / "a.jsonl"
    said("predict", runs["language_model"], tmp_path / "q.txt", "--out", out, "--answers", "2")
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["text"] for row in found] == ["ab", "", "cd, ab"]
    assert [row["answers"] is None for row in found] == [False, True, False]
    assert "probability" not in found[0] and len(found[0]["answers"]) == 2
    assert said("predict", runs["language_model"], tmp_path / "q.txt")[0].count("\n") == 3


def test_numbers_are_told_of_the_rows_of_a_table(
    more: dict[str, Path], tmp_path: Path, said: Said
) -> None:
    path = as_table(tmp_path / "q.csv", ("text", "number"), [("ab bad", "2"), ("e", "0")])
    out = tmp_path / "a.parquet"
    notes = said("predict", more["regress"], path, "--out", out, "--compare")[1]
    assert "2 answers are off by" in notes[-2]
    from pyarrow import parquet

    found = parquet.read_table(out)
    assert found.column_names == ["text", "number", "answer"] and len(found) == 2


def test_a_run_answers_a_file_from_python(runs: dict[str, Path], tmp_path: Path) -> None:
    path = as_table(tmp_path / "q.csv", ("text", "label"), [("ab", "with"), ("", "x"), ("e", "y")])
    run = regard.Run(runs["classify"])
    found = run.predict_file(path)
    assert (found.rows, found.answered, found.answers[1]) == (3, 2, None)
    assert found.answers[0] == run.predict(["ab"])[0].best
    run.predict_file(path, tmp_path / "a.tsv", compare=True)
    assert (tmp_path / "a.tsv").read_text().startswith("text\tlabel\tanswer\tprobability\nab\t")
    with pytest.raises(regard.errors.UsageError, match="does not exist"):
        run.predict_file(tmp_path / "no.csv")
