"""`regard eval`: the metrics of a model, on its own data or on other data."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sacrebleu

from tests.cli.small import as_table, put, train_arguments

Call = Callable[..., str]
METRICS = {
    "translate": {"loss", "perplexity", "bleu", "chrf", "bleu_lowercase"},
    "classify": {"loss", "accuracy", "balanced_accuracy", "f1"},
    "language_model": {"loss", "perplexity", "bits_per_character"},
}


@pytest.mark.parametrize("task", METRICS)
def test_every_task_is_measured_on_its_own_data(
    runs: dict[str, Path], task: str, done: Call
) -> None:
    told = json.loads(done("eval", runs[task], "--json"))
    assert told.keys() == {"run", "data", "split", "answers", "examples", "details", *METRICS[task]}
    assert told["split"] == "valid" and told["examples"] > 0
    said = done("eval", runs[task])
    assert said.startswith("valid data, ") and f"loss {told['loss']:.4g}" in said
    assert json.loads(done("eval", runs[task] / "best", "--json")) | {"run": told["run"]} == told


def test_the_evaluation_of_the_best_model_found_the_same(runs: dict[str, Path], done: Call) -> None:
    lines = (runs["classify"] / "metrics.jsonl").read_text().splitlines()
    evaluations = [json.loads(line) for line in lines if '"kind": "valid"' in line]
    logged = max(evaluations, key=lambda each: each["accuracy"])
    told = json.loads(done("eval", runs["classify"], "--json"))
    for name in METRICS["classify"]:
        assert told[name] == pytest.approx(logged[name], rel=1e-5)


def test_other_data_is_measured_as_a_whole(
    runs: dict[str, Path], tmp_path: Path, done: Call
) -> None:
    rows = [("ab cd", "DC BA"), ("e e", "E E"), ("bad", "DAB")] * 7
    data = as_table(tmp_path / "other.tsv", ("source", "target"), rows)
    told = json.loads(done("eval", runs["translate"], "--data", data, "--json", "--answers", "2"))
    assert (told["split"], told["examples"], told["answers"]) == ("test", 21, 2)
    lines = done("predict", runs["translate"], *(s for s, _ in rows), "--beam", "2", "--json")
    answers = {each["text"]: each["answer"] for each in map(json.loads, lines.splitlines())}
    found = sacrebleu.corpus_chrf([answers[s] for s, _ in rows], [[t for _, t in rows]]).score
    assert told["chrf"] == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("roles", [("text", "label"), ("source", "target")])
def test_the_columns_of_other_data_are_named_as_those_to_train_on(
    runs: dict[str, Path], tmp_path: Path, done: Call, roles: tuple[str, str]
) -> None:
    rows = [("ab cab é", "with"), ("ab bad", "without"), ("e cab", "with")] * 6
    plain = as_table(tmp_path / "plain.csv", ("text", "label"), rows)
    other = as_table(tmp_path / "other.csv", ("notes", "verdict"), rows)
    other.write_bytes(other.read_text().encode("cp1252"))
    named = [f"--{roles[0]}", "notes", f"--{roles[1]}", "verdict", "--encoding", "cp1252"]
    found, wanted = (
        json.loads(done("eval", runs["classify"], "--json", "--data", *words))
        for words in ([other, *named], [plain])
    )
    assert found | {"data": ""} == wanted | {"data": ""}


def test_only_the_metrics_that_are_asked_for_are_said(runs: dict[str, Path], done: Call) -> None:
    told = json.loads(done("eval", runs["classify"], "--metrics", "f1,loss", "--json"))
    assert [key for key in told if key in METRICS["classify"]] == ["f1", "loss"]


def test_a_test_part_is_taken_if_there_is_one(tmp_path: Path, done: Call) -> None:
    done(*train_arguments(put(tmp_path, "side"), tmp_path / "run"))
    told = json.loads(done("eval", tmp_path / "run", "--json"))
    assert (told["split"], told["examples"]) == ("test", 7)
    told = json.loads(done("eval", tmp_path / "run", "--split", "valid", "--json"))
    assert (told["split"], told["examples"]) == ("valid", 9)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--metrics", "blue"], "no metric 'blue'; there are loss, accuracy, bal"),
        (["--metrics", "f1,"], "give names with commas between"),
        (
            ["--split", "test"],
            "the data has no test part; say split=valid (--split) or",
        ),
        (["--split", "train"], "invalid choice: 'train'"),
        (["--data", "nowhere.tsv"], "nowhere.tsv does not exist"),
        (
            ["--data", "strange.csv"],
            "strange.csv has no column 'label' to compare with: nothing in its column 'label' is a "
            "label that the run knows (with, without); `regard predict` answers without one",
        ),
        (
            ["--data", "texts.csv"],
            "texts.csv has no column 'label' to compare with; `regard predict` answers without one",
        ),
        (["--data", "columns.tsv"], "columns.tsv has no column 'text'"),
        (["--data", "columns.tsv", "--text", "three"], "columns.tsv has no column 'three' (text)"),
        (["--data", "columns.tsv", "--left", "one"], "classify, which has no --left; it has --te"),
        (
            ["--data", "columns.tsv", "--text", "one", "--label", "tow"],
            "no column 'tow' (label); did",
        ),
        (["--text", "one"], "text=... (--text) is for other data; say which (--data)"),
        (["--worst", "-1"], "a whole number from 0, got '-1'"),
        (["--answers", "0"], "a whole number from 1, got '0'"),
        (["--beam", "0"], "a whole number from 1, got '0'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_measured_gets_a_sentence(
    runs: dict[str, Path],
    arguments: list[str],
    why: str,
    tmp_path: Path,
    mistake: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    as_table(tmp_path / "strange.csv", ("text", "label"), [("ab", "maybe"), ("cd", "no")] * 9)
    as_table(tmp_path / "columns.tsv", ("one", "two"), [("ab", "x y z"), ("cd", "a b")] * 9)
    as_table(tmp_path / "texts.csv", ("id", "text"), [("1", "ab cd"), ("2", "cd ab")] * 9)
    before = sorted(tmp_path.rglob("*"))
    assert why in mistake("eval", runs["classify"], *arguments)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_without_settings_or_a_model_says_so(
    runs: dict[str, Path], tmp_path: Path, mistake: Call
) -> None:
    assert "has no config.toml" in mistake("eval", tmp_path)
    shutil.copy(runs["classify"] / "config.toml", tmp_path)
    assert "has no trained model" in mistake("eval", tmp_path)


def test_what_is_not_judged_is_counted_by_name(
    runs: dict[str, Path], tmp_path: Path, done: Call
) -> None:
    rows = [("ab cab", "with"), ("ab bad", "without"), ("e cab", "with")] * 6
    rows += [("cab", ""), ("bad", ""), ("dab", "maybe")]
    data = as_table(tmp_path / "some.csv", ("text", "label"), rows)
    said = done("eval", runs["classify"], "--data", data, "--worst", "2")
    assert "2 of 21 rows have no label and are not judged" in said
    assert (
        "1 of 19 rows have a label that the run does not know and are not judged: 'maybe' 1" in said
    )
    assert "per class" in said and "confusion (rows: wanted, columns: answered)" in said
    told = json.loads(done("eval", runs["classify"], "--data", data, "--worst", "2", "--json"))
    tables = told["details"]["tables"]
    assert sum(row[-1] for row in tables["per_class"]["rows"]) == 18
    assert sum(sum(row[1:]) for row in tables["confusion"]["rows"]) == 18
    worst = told["details"]["worst"]
    assert len(worst) <= 2
    assert [each["loss"] for each in worst] == sorted(
        (each["loss"] for each in worst), reverse=True
    )
    assert all(each["wanted"] != each["answered"] for each in worst)
    assert told["details"]["not_judged"] == ["2 of 21 rows have no label and are not judged"]
    metrics = json.loads(done("eval", runs["classify"], "--data", data, "--json"))
    right = sum(row[1 + n] for n, row in enumerate(tables["confusion"]["rows"]))
    assert metrics["accuracy"] == pytest.approx(right / 18)


def test_the_worst_translations_and_the_tokenizer_of_bleu_are_told(
    runs: dict[str, Path], done: Call
) -> None:
    said = done("eval", runs["translate"], "--worst", "1")
    assert "(tokenizer 13a)" in said.splitlines()[0] and said.count("     wanted    ") == 1
