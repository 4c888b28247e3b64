"""The recipe `han` reads documents sentence by sentence, and what is kept comes back the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from regard.view.run_log import read_run

Call = Callable[..., str]
SMALL = [
    part
    for setting in ("embed_dim=8", "hidden_dim=6", "align_dim=6", "tokens.size=50")
    for part in ("--set", setting)
]
DOCUMENT = "the soup was good\nwe left early"


def documents(folder: Path) -> Path:
    """A table of documents of several lines."""
    path, ends = folder / "documents.jsonl", ("we left early", "we left early\nit rained")
    rows = [
        {"text": f"the {thing} was {label}\n{end}", "label": label}
        for thing in "soup bread wine room bed train film".split()
        for label in ("good", "bad")
        for end in ends
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "settings",
    [
        ["--attention", "additive", "--normalizer", "sparsemax"],
        pytest.param(
            ["--set", "word_summary=mean", "--set", "sentence_summary=mean"], marks=pytest.mark.slow
        ),
    ],
    ids=" ".join,
)
def test_documents_are_learned_and_read_sentence_by_sentence(
    settings: list[str], tmp_path: Path, done: Call
) -> None:
    data, run = documents(tmp_path), tmp_path / "run"
    done("train", "han", "--data", data, "--out", run, "--steps", "3", *SMALL, *settings)
    assert read_run(run).status() == "finished"
    predictor = load_predictor(run / "best")
    assert type(predictor.model).__name__ == "HAN"
    (answer,) = predictor.predict([DOCUMENT])
    assert [line.replace("[", "").replace("]", "") for line in answer.inputs] == [
        "the soup was good",
        "we left early",
    ]
    assert all(line.count("[") == 1 for line in answer.inputs), "the strongest word is marked"
    assert answer.weights.shape == (1, 2)
    assert answer.weights.sum().item() == pytest.approx(1.0, abs=1e-5)
    said = json.loads(done("predict", run, DOCUMENT.replace("\n", ". "), "--json"))
    assert said["answer"] in ("good", "bad")


def test_impossible_settings_are_refused_before_anything_is_read(mistake: Call) -> None:
    said = mistake("train", "han", "--set", "word_summary=max", "--steps", "1")
    assert "there is no word_summary 'max'" in said
