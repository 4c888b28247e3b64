"""The end of a run speaks: the best score, why it ended, the test, what was not read, what next."""

import json
import os
import re
import signal
import subprocess
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.errors import UsageError
from regard.run.merging import settings_for
from regard.run.recipes import names, recipe
from regard.run.request import Request
from regard.run.run import Run
from regard.run.settings import flat
from regard.run.telling import budget_of, longer, quoted
from regard.run.training import Options
from regard.tasks import task_class
from regard.tasks.classify import Classify
from regard.tasks.predictor import Predictor
from regard.training.config import TrainConfig
from regard.training.loop import Trainer
from regard.training.trainer_state import TrainerState
from tests.cli.small import put
from tests.run.test_same_data import QUIET, copied, trained
from tests.run.tiny import SMALL, data_of

LOUD = Options()
BRIEF = {"steps": 1}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_end_says_best_score_reason_test_and_what_to_type_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = trained("lstm", copied("lstm"), steps=4, options=LOUD)
    said = capsys.readouterr().out
    best = run.metrics["valid"]
    named = ("loss", "accuracy", "balanced_accuracy", "f1")
    scores = ", ".join(f"{name} {best[name]:.4g}" for name in named)
    assert f"Best on validation data: {scores}, at step {best['step']} of 4." in said
    assert "It ended because its budget of 4 steps is spent; patience is off" in said
    assert "There is no test data; put it in a file named test next to the training file." in said
    assert "The run is in run, its page is run/report.html." in said
    assert 'Ask it: regard predict run "' in said and said.endswith(run.summary + "\n")
    lines = [line for line in said.splitlines() if line.startswith("step ") and "valid" in line]
    each = [line for line in lines if "tokens/s" not in line]
    assert [line.split("  ")[0] for line in each] == ["step 2", "step 4"]
    assert all("epoch" in line and "loss" in line for line in each) and "best so far" in each[0]


@cache
def run_of(name: str) -> Run:
    """A run of a recipe that is hardly trained."""
    data, given = data_of(name), {**SMALL[name], **BRIEF}
    if name == "dates":
        given |= {"examples_per_epoch": 300, "valid_questions": 4}
    if recipe(name)["task"]["name"] == "translate":
        given["extra_length"] = 5
    out = Path(tempfile.mkdtemp(prefix="regard-ending-")) / "run"
    return regard.train(data and str(data), recipe=name, out=out, options=QUIET, **given)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_what_a_run_says_it_trained_is_what_it_trained(name: str) -> None:
    folder = run_of(name).path
    # TOML has no word for what is not there.
    said = flat(tomllib.loads((folder / "config.toml").read_text())["model"])
    made = flat(json.loads((folder / "best" / "config.json").read_text()))
    assert said.pop("name") == made["model_type"] and len(said) > 1
    assert {key: made.get(key) for key in said} == said


@pytest.mark.parametrize("name", names())
def test_what_is_to_be_typed_next_is_an_input_of_its_kind(name: str) -> None:
    run = run_of(name)
    asked = run.summary.splitlines()[-1].removeprefix(f"Ask it: regard predict {run.path} ")
    text = subprocess.check_output(["bash", "-c", f"printf %s {asked}"], text=True)
    kind: Any = task_class(recipe(name)["task"]["name"]).predictor_type
    assert text != "a text" and isinstance(run.predictor, kind)
    assert run.predict([text])[0].answers


def test_inputs_are_quoted_as_a_shell_takes_them() -> None:
    for given in ("it's $5", 'a "b" c', "a", "back\\slash", "wow!", "it's\tso", "a\n\\b"):
        word = quoted(given)
        assert subprocess.check_output(["bash", "-c", f"printf %s {word}"], text=True) == given
    for odd in ("a\0b", " ", "-x", "\x1b[2J"):
        assert quoted(odd) is None
    assert Predictor.parse(Predictor.typed("a")) == "a"


def test_the_test_and_what_is_cut_are_said_at_the_beginning_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = put(Path(), "side")
    given = {**SMALL["transformer"], "steps": 1, "extra_length": 5, "longest": 4}
    regard.train(str(data), out="run", options=LOUD, **given)
    said = capsys.readouterr().out
    left = "training pairs have more than 4 tokens and are left out; --set longest=N keeps them."
    first, last = (part for part in said.split("The run is kept in run"))
    assert left in first and left in last and " of 50 " in left.join(first.split(left)[:1])
    assert "On test data: loss" in last and "There is no test data" not in last
    run = trained("lstm", copied("lstm"), "cut", steps=1, longest=3)
    cut = r"\d+ of \d+ training texts have more than 3 tokens and are cut there; --set longest=N"
    assert re.search(cut, run.summary)


def test_what_is_odd_about_the_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def remarks(self: Any, split: str, records: Any) -> list[str]:
        return [f"every answer to {split} is 'with'"] if records else []

    monkeypatch.setattr(Classify, "remarks", remarks)
    run = trained("lstm", copied("lstm"), steps=2)
    assert "On validation data, every answer to valid is 'with'." in run.summary


def test_patience_of_a_recipe_never_overrules_a_budget_that_was_given() -> None:
    data = copied("cnn")

    def train_of(*given: tuple[str, Any], tables: Any = (), resumes: bool = False) -> TrainConfig:
        path = (("data", str(data)),)
        request = Request("cnn", tables, (*path, *given), resumes=resumes)
        return settings_for(request, None)[0].train

    usual = train_of()
    assert (usual.patience, usual.least_steps, usual.epochs) == (3, 150, 10.0)
    for budget in (("steps", 60), ("epochs", 2.0), ("minutes", 1)):
        found = train_of(budget)
        assert (found.patience, found.least_steps) == (0, 0)
        assert train_of(budget, ("patience", 2)).patience == 2
    file = {"train": {"patience": 4}}
    assert train_of(("steps", 60), tables=[file]).patience == 4
    of_run = {"train": {"epochs": 10.0, "patience": 3, "least_steps": 150}}
    resumed = train_of(("epochs", 20.0), tables=[of_run], resumes=True)
    assert (resumed.patience, resumed.least_steps, resumed.epochs) == (0, 0, 20.0)
    assert train_of(tables=[of_run], resumes=True).patience == 3


def test_a_run_that_patience_ended_says_so_and_trains_on_when_it_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"patience": 1, "patience_steps": 0, "evaluate_every": 1, "learning_rate": 1e-9}
    run = trained("lstm", copied("lstm"), steps=9, **given)
    assert "It ended because accuracy was not better in 1 evaluation and 1 step (patience 1), " in (
        run.summary
    )
    assert "--set patience=0 trains to its end" in run.summary
    trained("lstm", Path("labels.csv"), steps=9, options=LOUD, **given)
    assert "or --set patience=0." in capsys.readouterr().out
    on = run.resume(patience=0, options=QUIET)
    assert on.metrics["train"]["step"] == 9 and "its budget of 9 steps is spent" in on.summary
    longer = run.resume(steps=11, options=QUIET)
    assert longer.metrics["train"]["step"] == 11


def test_a_run_that_is_stopped_says_where_and_leaves_no_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = Trainer._update

    def interrupted_after_five(self: Trainer, *given: Any) -> None:
        update(self, *given)
        if self.state.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "_update", interrupted_after_five)
    run = trained("lstm", copied("lstm"), steps=9, options=LOUD)
    *_, last, interrupted, resume = capsys.readouterr().out.splitlines()
    assert last.startswith("step 5  loss ") and interrupted.startswith("Interrupted at step 5;")
    assert resume == "Resume it with: regard train --resume run"
    assert run.signal == signal.SIGINT and run.summary == ""


def test_a_budget_says_what_it_covers() -> None:
    assert budget_of(TrainConfig(steps=1)) == "1 step"
    assert budget_of(TrainConfig(epochs=2.5, steps=3000)) == "2.5 epochs or 3,000 steps"
    assert budget_of(TrainConfig(seconds=90.0)) == "1.5 minutes"
    state = TrainerState(step=150, epoch=75.0, seconds=120.0)
    config = TrainConfig(epochs=6.0, least_steps=150)
    assert "--epochs N (more than 75)" in longer(Path("a b"), config, state, False)
    assert "regard train --from 'a b'" in longer(Path("a b"), config, state, False)
    minutes = longer(Path("r"), TrainConfig(seconds=60.0), state, False)
    assert "--minutes N (more than 2)" in minutes


def test_the_introduction_says_the_budget_in_both_units(
    capsys: pytest.CaptureFixture[str],
) -> None:
    size = r"an epoch is \d+ examples"
    for given, said in (
        ({"steps": 6}, rf"for 6 steps \(about 2 epochs, {size}\)\."),
        ({"epochs": 2}, rf"for 2 epochs \(about 6 steps, {size}\)\."),
        ({"seconds": 0.01}, rf"for 0\.01 s \({size}\); the clock covers training and its eval"),
    ):
        trained("lstm", copied("lstm"), "-".join(given), options=LOUD, **given)
        assert re.search(said, capsys.readouterr().out)


def test_data_that_does_not_fit_a_recipe_names_both() -> None:
    Path("text.txt").write_text("just some words\n" * 50)
    with pytest.raises(UsageError) as caught:
        regard.train("text.txt", recipe="abcnn", options=QUIET)
    said = str(caught.value)
    assert "read for match, because that is what the recipe abcnn is for" in said
    assert "text.txt" in said and "\n" not in said
