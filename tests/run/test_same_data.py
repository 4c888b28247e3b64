"""A run and its data: the same at every resume, or one sentence with the choices there are."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.errors import UsageError
from regard.run.run import Run
from regard.run.training import Options
from regard.view.run_log import read_run
from tests.cli.small import put
from tests.run.tiny import SMALL, data_of

QUIET = Options(progress=False)
AS_TRAINED = Options(progress=False, data_as_trained=True)
RECIPES = ["transformer", "lstm", "din"]
MORE = ["lstm_regressor", "abcnn", "memory", "transformer_lm"]
"""Recipes, one of each task that reads data."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def copied(recipe: str) -> Path:
    """A recipe's tiny data, in a file that may be changed."""
    source = data_of(recipe)
    assert source is not None
    return Path(shutil.copy(source, Path(source.name)))


def trained(recipe: str, data: Path, out: str = "run", **given: Any) -> Run:
    settings = {**SMALL[recipe], "evaluate_every": 2, "options": QUIET, **given}
    return regard.train(str(data), recipe=recipe, out=out, **settings)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a run, and when it was written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(run.model.state_dict())


def equal(one: Run, other: Run) -> bool:
    old, new = weights(one), weights(other)
    return old.keys() == new.keys() and all(torch.equal(old[k], new[k]) for k in old)


def grown(path: Path) -> None:
    """Add a row with words that were not there."""
    text = path.read_text()
    path.write_text(text + text.splitlines()[-1].replace("a", "zq").replace("e", "xw") + "\n")


@pytest.mark.parametrize("change", ["grown", "renamed"])
def test_changed_data_is_one_sentence_with_the_choices_and_nothing_is_written(change: str) -> None:
    data = copied("lstm")
    run = trained("lstm", data, steps=4)
    if change == "grown":
        grown(data)
    else:
        # The same size, and the labels would exchange their numbers.
        data.write_text(data.read_text().replace(",without", ",again").replace(",with", ",zz"))
    before = files(run.path)
    with pytest.raises(UsageError) as caught:
        run.resume(steps=8, options=QUIET)
    said = str(caught.value)
    assert "\n" not in said and "labels.csv has changed since the run in run began" in said
    for choice in ("--data-as-trained", "--resume never", "--out", "--from run"):
        assert choice in said
    assert files(run.path) == before


@pytest.mark.parametrize(
    "recipe", [*RECIPES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
)
def test_a_run_goes_on_with_the_copy_of_its_data_as_if_nothing_had_changed(recipe: str) -> None:
    data = copied(recipe)
    same = {"schedule": "constant", "warmup": 1}
    whole = trained(recipe, data, "whole", steps=4, **same)
    part = trained(recipe, data, "part", steps=2, **same)
    grown(data)
    shutil.rmtree(".data")  # The cache may go; the run has the copy.
    part = regard.train(resume=part.path, steps=4, options=AS_TRAINED)
    assert equal(whole, part)
    data.unlink()
    assert regard.train(resume="part", steps=6, options=AS_TRAINED).metrics["valid"]["step"] > 0


def test_the_copy_has_to_be_whole_and_of_a_run() -> None:
    data = copied("lstm")
    with pytest.raises(UsageError, match="--data-as-trained is for a run that was begun"):
        trained("lstm", data, steps=2, options=AS_TRAINED)
    assert not Path("run").exists()
    run = trained("lstm", data, steps=2)
    kept = run.path / "tokens/rows/train.arrow"
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.unlink()
    kept.write_bytes(content)
    with pytest.raises(UsageError, match=r"the copy of the data in .* is damaged: train.arrow"):
        run.resume(steps=4, options=AS_TRAINED)
    shutil.rmtree(run.path / "tokens/rows")
    with pytest.raises(UsageError, match="run has kept no copy of its data; put the data back"):
        run.resume(steps=4, options=AS_TRAINED)
    grown(data)
    with pytest.raises(UsageError) as caught:
        run.resume(steps=4, options=QUIET)
    assert "--data-as-trained" not in str(caught.value)


def test_data_that_was_changed_before_anything_was_learned_is_simply_read() -> None:
    data = copied("lstm")
    run = trained("lstm", data, steps=2)
    for name in ("best", "checkpoints"):
        shutil.rmtree(run.path / name)
    for name in ("summary.json", "metrics.jsonl"):
        (run.path / name).unlink()
    grown(data)
    again = trained("lstm", data, steps=2)
    assert again.path == run.path and again.metrics["valid"]["step"] == 2


def test_a_finished_run_says_so_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    data = copied("lstm")
    run = trained("lstm", data, steps=4)
    before = files(run.path)
    for again in ({}, {"resume": "run"}):
        trained("lstm", data, steps=4, options=Options(), **again)
        said = capsys.readouterr().out
        assert "run is finished already; nothing was trained now." in said
        assert "Learning" not in said and "Best on validation data: loss" in said
        assert "The data is the same." in said and "--steps N (more than 4)" in said
        assert "regard train --from run" in said
    assert run.summary.startswith("Best on validation data: ")
    grown(data)
    for options in (Options(), QUIET):
        with pytest.raises(
            UsageError, match="since the run in run began to learn from it; --data-"
        ):
            trained("lstm", data, steps=4, options=options)
    assert files(run.path) == before


def test_a_run_is_where_it_is_by_now(capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("lstm", copied("lstm"), steps=2)
    assert "The run is in run, its page" in run.summary and "regard predict run " in run.summary
    shutil.copytree("run", "a copy")
    run.path.rename("moved")
    for place, written in (("moved", "moved"), ("a copy", "'a copy'")):
        regard.train(resume=place, options=Options())
        said = capsys.readouterr().out
        assert f"{place} is finished already" in said and f"The run is in {place}, its " in said
        assert f"Ask it: regard predict {written} " in said
        assert f"Test it: regard eval {written} --data FILE" in said
        assert regard.Run(place).summary in said and "in run" not in said


def test_data_that_was_moved_is_the_same_data() -> None:
    data = copied("lstm")
    whole = trained("lstm", data, "whole", steps=4, schedule="constant", warmup=1)
    trained("lstm", data, "part", steps=2, schedule="constant", warmup=1)
    moved = Path("elsewhere/renamed.csv")
    moved.parent.mkdir(exist_ok=True)
    shutil.move(data, moved)
    assert equal(whole, regard.train(str(moved), resume="part", steps=4, options=QUIET))
    # From now on the run knows it there.
    regard.train(resume="part", steps=5, options=QUIET)
    assert read_run(Path("part")).steps == 5
    grown(moved)
    with pytest.raises(UsageError, match=f"{moved} has changed since the run in part began"):
        regard.train(resume="part", steps=6, options=QUIET)
    other = Path("other.csv")
    other.write_bytes(moved.read_bytes())
    with pytest.raises(UsageError, match=f"path is '{moved}' in the run and 'other.csv' now"):
        regard.train(str(other), resume="part", steps=6, options=QUIET)


def test_a_path_may_be_written_in_another_way_and_a_larger_budget_says_how() -> None:
    data = copied("lstm")
    run = trained("lstm", data, steps=2)
    before = files(run.path)
    for path in (Path.cwd() / data, f"./{data}", f"run/../{data}"):
        again = regard.train(
            str(path), recipe="lstm", out="run", **SMALL["lstm"], steps=2, evaluate_every=2
        )
        assert equal(again, run) and files(run.path) == before
    with pytest.raises(UsageError, match="to train it longer, say --resume run --steps 4; give"):
        trained("lstm", data, steps=4)
    with pytest.raises(UsageError, match="steps is 2 in the run and 1 now; give the old values"):
        trained("lstm", data, steps=1)
    with pytest.raises(UsageError, match="learning_rate is 0.004 in the run and 0.5 now; give"):
        regard.train(resume="run", steps=4, learning_rate=0.5)


@pytest.mark.parametrize("damage", ["gone", "renamed column", "another encoding"])
def test_data_that_cannot_be_read_any_more_leaves_the_copy_of_it(damage: str) -> None:
    data = copied("lstm")
    run = trained("lstm", data, steps=2)
    text = data.read_text()
    if damage == "gone":
        data.unlink()
    elif damage == "renamed column":
        data.write_text(text.replace("label", "stars", 1))
    else:
        data.write_text(text, "utf-16")
    before = files(run.path)
    with pytest.raises(UsageError, match="; --data-as-trained goes on with the copy that the run"):
        regard.train(resume="run", steps=4, options=QUIET)
    assert files(run.path) == before
    regard.train(resume="run", steps=4, options=AS_TRAINED)
    assert read_run(Path("run")).steps == 4


def test_a_run_that_was_not_tested_before_it_ended_is_not_finished(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = put(Path(), "side")
    given = {**SMALL["transformer"], "steps": 2, "extra_length": 5, "options": Options()}
    run = regard.train(str(data), out="run", **given)
    (run.path / "summary.json").unlink()
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    kept = [line for line in lines if '"test"' not in line]
    (run.path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in kept))
    capsys.readouterr()
    regard.train(str(data), out="run", **given)
    said = capsys.readouterr().out
    assert "On test data: loss" in said and "finished already" not in said
    assert "test" in run.metrics
