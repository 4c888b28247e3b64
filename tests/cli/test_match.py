"""The recipes `match` and `cnn` train every network they have, and it comes back the same."""

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
    for setting in ("embed_dim=8", "hidden_dim=6", "train.steps=3")
    for part in ("--set", setting)
]


def pairs(folder: Path) -> Path:
    """Sentences beside the same and beside others, a header above."""
    rows = ["left\tright\tlabel"]
    for one in ("a b", "c", "d e f"):
        for other in ("b a", "c", "f e d"):
            rows.append(f"{one}\t{other}\t{'yes' if set(one) == set(other) else 'no'}")
    path = folder / "pairs.tsv"
    path.write_text("\n".join(rows * 6) + "\n")
    return path


@pytest.mark.parametrize(
    "attention",
    [
        "both",
        "none",
        pytest.param("input", marks=pytest.mark.slow),
        pytest.param("pooling", marks=pytest.mark.slow),
    ],
)
def test_every_attention_between_two_sentences_trains_and_comes_back(
    attention: str, tmp_path: Path, done: Call
) -> None:
    run = tmp_path / "run"
    chosen = ["--set", f"attention={attention}"]
    said = done("train", "match", "--data", pairs(tmp_path), "--out", run, *SMALL, *chosen)
    assert "read as match" in said and read_run(run).status() == "finished"
    predictor = load_predictor(run / "best")
    assert predictor.model.config.attention == attention
    (answer,) = predictor.predict(["a b\tb a d"])
    assert answer.inputs == ("a", "b") and answer.weights.shape == (3, 2)
    said = json.loads(done("predict", run, "a b\tb a d", "--json"))
    assert said["answer"] == answer.answers[0][0]
    assert "accuracy" in done("eval", run, "--data", pairs(tmp_path))


@pytest.mark.slow
def test_the_made_pairs_are_learned_from_without_any_data(tmp_path: Path, done: Call) -> None:
    said = done("train", "match", "--out", tmp_path / "run", *SMALL)
    assert "read as match" in said and "mrr" in said.lower()


@pytest.mark.parametrize(
    "summary",
    [
        "max",
        "guided",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("mean", "attention")),
    ],
)
def test_every_summary_of_filters_trains_and_comes_back(
    summary: str, tmp_path: Path, done: Call
) -> None:
    data, run = put(tmp_path, "labels.tsv"), tmp_path / "run"
    chosen = ["--set", f"summary={summary}", "--set", "filters=4", "--set", "align_dim=4"]
    done("train", "cnn", "--data", data, "--out", run, *SMALL, *chosen)
    predictor = load_predictor(run / "best")
    assert type(predictor.model).__name__ == "CNN"
    (answer,) = predictor.predict(["ab cd"])
    assert answer.inputs == ("ab", "cd") and answer.weights.shape == (1, 2)
    assert answer.weights.sum().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("recipe", "setting", "why"),
    [
        ("match", "attention=everywhere", "there is no attention 'everywhere'"),
        ("match", "width=0", "width must be at least 1, got 0"),
        ("cnn", "summary=last", "there is no summary 'last'"),
        ("cnn", "narrowest=6", "narrowest is 6 and widest 5"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(
    recipe: str, setting: str, why: str, mistake: Call
) -> None:
    assert why in mistake("train", recipe, "--set", setting, "--steps", "1")


def test_a_stream_of_pairs_is_learned_from(tmp_path: Path, done: Call) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid"):
        pairs(data).rename(data / f"{split}.tsv")
    said = done("train", "--data", data, "--out", tmp_path / "run", "--streaming", *SMALL)
    assert "read as match" in said and "streamed" in said
    assert read_run(tmp_path / "run").steps == 3
