"""Layers that share their weights are one setting away, and are refused where they do not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from regard.layers import Halting
from tests.cli.small import put, train_arguments

Call = Callable[..., str]
THREE = ("--set", "layers=3")
CHARACTERS = ("--set", "positions=sinusoidal", "--set", "model.tied=output")


def sharing(name: str) -> tuple[str, ...]:
    return ("--set", f"sharing={name}", *THREE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("labels.csv", "adaptive"),
        pytest.param("labels.csv", "all", marks=pytest.mark.slow),
        pytest.param("labels.csv", "universal", marks=pytest.mark.slow),
        pytest.param("pairs.tsv", "adaptive", marks=pytest.mark.slow),
        pytest.param("pairs.tsv", "all", marks=pytest.mark.slow),
        ("text.txt", "universal"),
        pytest.param("text.txt", "all", marks=pytest.mark.slow),
    ],
)
def test_every_form_shares_its_layers_and_comes_back(
    kind: str, name: str, tmp_path: Path, done: Call
) -> None:
    more = (*sharing(name), *(CHARACTERS if kind == "text.txt" else ()))
    done(*train_arguments(put(tmp_path, kind), tmp_path / "run", *more, "--steps", "2"))
    predictor = load_predictor(tmp_path / "run" / "best")
    assert predictor.model.config.sharing == name
    (answer,) = predictor.predict(["ab"])
    assert answer.text == "ab"


def test_what_a_step_costs_reaches_the_model(tmp_path: Path, done: Call) -> None:
    from regard.cli.kinds import classify

    made: list[float] = []
    build = classify.NETWORKS["transformer"].makers["classify"]

    def watched(*given: object, **named: object) -> object:
        model = build(*given, **named)
        assert isinstance(model.encoder, Halting)
        made.append(model.ponder)
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(classify.NETWORKS["transformer"].makers, "classify", watched)
        data = put(tmp_path, "labels.csv")
        done(*train_arguments(data, tmp_path / "run", *sharing("adaptive"), "--set", "ponder=0.5"))
    assert made == [0.5]


@pytest.mark.parametrize(
    ("kind", "settings", "why"),
    [
        ("labels.csv", ["sharing=some"], "there is no sharing 'some'"),
        ("labels.csv", ["sharing=universal", "positions=rope"], "needs positions 'sinusoidal'"),
        ("labels.csv", ["ponder=0.1"], "needs sharing 'adaptive', got 'none'"),
        ("labels.csv", ["sharing=adaptive", "ponder=1.5"], "ponder must be at least 0 and below 1"),
        ("pairs.tsv", ["sharing=adaptive", "ponder=0.1"], "a translated one pays nothing"),
        ("text.txt", ["sharing=adaptive"], "needs positions 'sinusoidal', got 'learned'"),
        ("text.txt", ["sharing=adaptive", "positions=sinusoidal"], "'adaptive' is for encoders"),
    ],
)
def test_what_a_form_cannot_share_is_refused(
    kind: str, settings: list[str], why: str, tmp_path: Path, mistake: Call
) -> None:
    given = [part for setting in settings for part in ("--set", setting)]
    assert why in mistake(*train_arguments(put(tmp_path, kind), tmp_path / "run", *given))
    assert not (tmp_path / "run").exists()
