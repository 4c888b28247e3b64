"""The recipe `stories` trains memory networks, and what is kept comes back the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from regard.data.stories import rows
from regard.view.run_log import read_run
from tests.cli.small import as_table

Call = Callable[..., str]
SMALL = ["--set", "embed_dim=8", "--set", "linear_epochs=2", "--steps", "3", "--threads", "1"]
TEXT = "Ada went to the attic. Boris went to the market. Where is Ada?"


def stories(path: Path) -> Path:
    names = ("story", "question", "answer", "support")
    entries = [dict(zip(names, row, strict=True)) for row in rows("train", 40, 0)]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.mark.parametrize(
    "settings",
    [
        ["--set", "hops=2", "--normalizer", "sparsemax"],
        pytest.param(
            ["--set", "tying=layerwise", "--attention", "general"], marks=pytest.mark.slow
        ),
        ["--set", "attention=hard", "--set", "model.encoding=bag"],
        pytest.param(
            ["--set", "attention=hard", "--set", "estimator=gumbel"], marks=pytest.mark.slow
        ),
    ],
    ids=" ".join,
)
def test_every_memory_trains_and_comes_back(
    settings: list[str], tmp_path: Path, done: Call
) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    said = done("train", "stories", "--data", data, "--out", run, *SMALL, *settings)
    assert "read as answer" in said and read_run(run).status() == "finished"
    predictor = load_predictor(run / "best")
    hops = 2 if "hops=2" in settings else 3
    assert predictor.model.config.hops == hops and float(predictor.model.linear) > 0
    (answer,) = predictor.predict([TEXT])
    assert len(answer.inputs) == 2 and answer.weights.shape == (hops, 2)
    found = json.loads(done("predict", run, TEXT, "--json"))
    assert found["answer"] == answer.answers[0][0]
    assert "hop" in done("predict", run, TEXT, "--show")


def test_a_run_is_measured_by_accuracy_error_and_pointing(tmp_path: Path, done: Call) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    done("train", "stories", "--data", data, "--out", run, *SMALL)
    scores = json.loads(done("eval", run, "--data", data, "--json"))
    assert scores["examples"] == 40 and scores["error"] == pytest.approx(1 - scores["accuracy"])
    assert 0 <= scores["pointing"] <= 1
    assert "Ada" in (run / "report.html").read_text("utf-8")


def test_a_table_of_stories_needs_no_support(tmp_path: Path, done: Call) -> None:
    pairs = [("Ada sits.", "Who sits?"), ("Boris sits.", "Who stands?")] * 9
    path = as_table(tmp_path / "x.tsv", ("story", "question"), pairs)
    lines = path.read_text().splitlines()
    answers = ["answer"] + ["ada", "nobody"] * 9
    text = "".join(f"{line}\t{answer}\n" for line, answer in zip(lines, answers, strict=True))
    path.write_text(text)
    done("train", "stories", "--data", path, "--out", tmp_path / "run", *SMALL)
    scores = json.loads(done("eval", tmp_path / "run", "--data", path, "--json"))
    assert "pointing" not in scores


def test_a_text_without_a_question_is_one_sentence_of_a_mistake(
    tmp_path: Path, done: Call, mistake: Call
) -> None:
    data, run = stories(tmp_path / "stories.jsonl"), tmp_path / "run"
    done("train", "stories", "--data", data, "--out", run, *SMALL)
    assert "has no question" in mistake("predict", run, "Ada went to the attic.")
    assert "there is no tying 'all'" in mistake("train", "stories", "--set", "tying=all")
