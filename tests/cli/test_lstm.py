"""The recipe `lstm` trains every summary, and what is kept comes back the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from regard.view.run_log import read_run
from tests.cli.small import put

Call = Callable[..., str]
SMALL = [
    part
    for setting in ("embed_dim=8", "hidden_dim=6", "align_dim=6")
    for part in ("--set", setting)
]


@pytest.mark.parametrize(
    "summary",
    [
        ["--set", "summary=last", "--set", "cell=gru"],
        pytest.param(["--set", "summary=mean", "--set", "directions=1"], marks=pytest.mark.slow),
        ["--attention", "additive", "--normalizer", "sparsemax"],
        ["--set", "summary=hard"],
        pytest.param(
            ["--set", "summary=hard", "--set", "estimator=gumbel"], marks=pytest.mark.slow
        ),
    ],
    ids=" ".join,
)
def test_every_summary_trains_and_comes_back(
    summary: list[str], tmp_path: Path, done: Call
) -> None:
    data, run = put(tmp_path, "labels.tsv"), tmp_path / "run"
    done("train", "lstm", "--data", data, "--out", run, "--steps", "3", *SMALL, *summary)
    assert read_run(run).status() == "finished"
    predictor = load_predictor(run / "best")
    assert type(predictor.model).__name__ == "LSTM"
    (answer,) = predictor.predict(["ab cd"])
    assert answer.inputs == ("ab", "cd") and answer.weights.shape == (1, 2)
    assert answer.weights.sum().item() == pytest.approx(1.0, abs=1e-5)
    said = json.loads(done("predict", run, "ab cd", "--json"))
    assert said["answer"] == answer.answers[0][0]


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("summary=max", "there is no summary 'max'"),
        ("directions=3", "directions must be 1 or 2, got 3"),
        ("word_dropout=1.0", "word_dropout must be at least 0 and below 1"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(
    setting: str, why: str, mistake: Call
) -> None:
    assert why in mistake("train", "lstm", "--set", setting, "--steps", "1")
