"""Stories of every form are read, learned from, measured and answered."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import regard
from regard.data.reading.babi import write_babi
from regard.data.synthetic.stories import story_rows
from tests.cli.small import as_table

Call = Callable[..., str]
SMALL = ["--set", "embed_dim=8", "--set", "linear_epochs=2", "--steps", "3", "--threads", "1"]
TEXT = "Ada went to the attic. Boris went to the market. Where is Ada?"


def stories(path: Path) -> Path:
    names = ("story", "question", "answer", "support")
    entries = [dict(zip(names, row, strict=True)) for row in story_rows("train", 40, 0)]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def test_the_hops_and_the_sentences_they_read_are_shown(tmp_path: Path, done: Call) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    said = done("train", "memory", "--data", data, "--out", run, *SMALL, "--set", "hops=2")
    assert "read as answer" in said
    (answer,) = regard.Run(run).predict([TEXT])
    assert len(answer.inputs) == 2 and answer.weights is not None
    assert answer.weights.shape == (2, 2)
    assert "hop" in done("predict", run, TEXT, "--show")


def test_a_run_is_measured_by_accuracy_error_and_pointing(tmp_path: Path, done: Call) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    done("train", "memory", "--data", data, "--out", run, *SMALL)
    scores = json.loads(done("eval", run, "--data", data, "--json"))
    assert scores["examples"] == 40 and scores["error"] == pytest.approx(1 - scores["accuracy"])
    assert 0 <= scores["pointing"] <= 1
    assert "Ada" in (run / "report.html").read_text("utf-8")


@pytest.mark.parametrize("mark", ["?", ""], ids=["asked", "without a mark"])
def test_a_table_of_stories_needs_no_support(mark: str, tmp_path: Path, done: Call) -> None:
    pairs = [("Ada sits.", f"Who sits{mark}"), ("Boris sits.", f"Who stands{mark}")] * 9
    path = as_table(tmp_path / "x.tsv", ("story", "question"), pairs)
    lines = path.read_text().splitlines()
    answers = ["answer"] + ["ada", "nobody"] * 9
    text = "".join(f"{line}\t{answer}\n" for line, answer in zip(lines, answers, strict=True))
    path.write_text(text)
    done("train", "memory", "--data", path, "--out", tmp_path / "run", *SMALL)
    scores = json.loads(done("eval", tmp_path / "run", "--data", path, "--json"))
    assert "pointing" not in scores


def official(folder: Path, kinds: dict[str, str]) -> Path:
    """Files called as those of bAbI: kind of story → name."""
    folder.mkdir()
    for kind, name in kinds.items():
        for split in ("train", "test"):
            write_babi(folder / f"{name}_{split}.txt", story_rows(split, 40, 0, kind=kind))
    return folder


def test_a_folder_of_babi_is_learned_as_a_whole(tmp_path: Path, done: Call) -> None:
    folder = official(tmp_path / "en", {"qa1": "qa1_one", "qa4": "qa10_ten", "qa6": "qa2_two"})
    run = tmp_path / "run"
    said = done("train", "--data", folder, "--out", run, *SMALL, "--steps", "2")
    assert "3 files are learned together, one behind the other: qa1_one_train.txt, qa2_two" in said
    assert "read as answer (story, question, answer, support)" in said and "On test data" in said
    assert json.loads(done("eval", run, "--json"))["examples"] == 120
    one = folder / "qa2_two_train.txt"
    assert json.loads(done("eval", run, "--data", one, "--json"))["examples"] == 40
    broken = folder / "qa3_three_train.txt"
    broken.write_text("1 Ada sits.\n2 Who sits?\tAda\t1\n4 Who?\tAda\t1\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 Ada sits.\n2 Who sits?\tAda\t1\n4 Who?\tAda\t1\n", "line 3: the number is 4 and"),
        ("1 Ada sits.\n2 Bo sits.\n", "line 1: nothing is asked in the story that begins here"),
        ("1 Ada sits.\n2 Who sits? Ada 1?\n", "line 2: a question needs its answer behind a tab"),
        ("1 Ada sits.\nBo sits.\n", "line 2: 'Bo sits.' does not begin with the number"),
        (
            "Call me Ishmael.\n",
            "numbered lines: '1 Mary moved to the bathroom.', '2 Where is Mary?",
        ),
    ],
    ids=["number", "nothing asked", "no tab", "no number", "prose"],
)
def test_stories_that_cannot_be_read_are_refused_with_file_and_line(
    text: str, why: str, tmp_path: Path, mistake: Call
) -> None:
    path = tmp_path / "stories.txt"
    path.write_text(text)
    given = ["--task", "answer", "--data", path, "--out", tmp_path / "run", "--steps", "1"]
    said = mistake("train", *given)
    assert "stories.txt" in said and why in said


def test_a_text_without_a_question_is_one_sentence_of_a_mistake(
    tmp_path: Path, done: Call, mistake: Call
) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    done("train", "memory", "--data", data, "--out", run, *SMALL)
    assert "has no question" in mistake("predict", run, "Ada went to the attic.")
    assert "there is no tying 'all'" in mistake("train", "memory", "--set", "tying=all")
