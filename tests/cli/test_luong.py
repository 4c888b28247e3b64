"""The recipe `luong` trains every form of the network, and RNNsearch can do without its search."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from tests.cli.small import put

Call = Callable[..., str]


def sets(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


SMALL = ["--steps", "3", *sets("embed_dim=8", "hidden_dim=8", "tokens.kind=characters")]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(sets("attention=local_p", "window=2", "layers=1"), marks=pytest.mark.slow),
        ["--attention", "location", *sets("input_feeding=off")],
        pytest.param(
            ["--attention", "luong_concat", *sets("variant=official")], marks=pytest.mark.slow
        ),
        pytest.param(["--attention", "dot", "--normalizer", "sparsemax"], marks=pytest.mark.slow),
        pytest.param(sets("attention=none", "input_feeding=off"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_every_form_trains_and_comes_back(form: list[str], tmp_path: Path, done: Call) -> None:
    data, run = put(tmp_path, "pairs.tsv"), tmp_path / "run"
    done("train", "luong", "--data", data, "--out", run, *SMALL, *form)
    predictor = load_predictor(run / "best")
    assert type(predictor.model).__name__ == "Luong"
    (answer,) = predictor.predict(["ab cd"], beams=2)
    said = json.loads(done("predict", run, "ab cd", "--beam", "2", "--json"))
    assert said["answer"] == answer.answers[0][0]
    if "attention=none" in form:
        assert answer.weights is None
    else:
        assert answer.weights.shape == (len(answer.outputs), len(answer.inputs))


def test_rnnsearch_without_its_search_looks_nowhere(tmp_path: Path, done: Call) -> None:
    data, run = put(tmp_path, "pairs.tsv"), tmp_path / "run"
    sizes = sets("align_dim=8", "maxout_dim=8", "attention=none")
    done("train", "rnnsearch", "--data", data, "--out", run, *SMALL, *sizes)
    predictor = load_predictor(run / "best")
    assert predictor.model.config.attention == "none"
    (answer,) = predictor.predict(["ab cd"])
    assert answer.answers and answer.weights is None
    assert done("predict", run, "ab cd").startswith(answer.answers[0][0])


def test_feeding_what_nothing_found_is_refused(tmp_path: Path, mistake: Call) -> None:
    data = put(tmp_path, "pairs.tsv")
    said = mistake("train", "luong", "--data", data, *SMALL, "--set", "attention=none")
    assert "set input_feeding to 'off'" in said
