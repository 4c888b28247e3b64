"""`regard train` in this process: data of every format, budgets, and what is refused."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.cli.words import assignment
from regard.errors import UsageError
from regard.run.recipes import recipe
from regard.view.run_log import read_run
from tests.cli.small import PAIRS, as_table, put, sets, train_arguments

Call = Callable[..., str]
USUAL = recipe("translate")["train"]


def config(run: Path) -> dict[str, Any]:
    return tomllib.loads((run / "config.toml").read_text())


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("pairs.tsv", "translate"),
        pytest.param(*("pairs.csv", "translate"), marks=pytest.mark.slow),
        pytest.param(*("pairs.jsonl", "translate"), marks=pytest.mark.slow),
        pytest.param(*("pairs.parquet", "translate"), marks=pytest.mark.slow),
        ("side", "translate"),
        pytest.param(*("labels.tsv", "classify"), marks=pytest.mark.slow),
        ("labels.jsonl", "classify"),
        ("text.txt", "language_model"),
    ],
)
def test_data_of_every_format_is_learned_from(
    kind: str, task: str, tmp_path: Path, done: Call
) -> None:
    said = done(*train_arguments(put(tmp_path, kind), tmp_path / "run"))
    assert f"read as {task}" in said and f"Learning {task}" in said
    run = read_run(tmp_path / "run")
    assert run.status() == "finished" and run.steps == 3
    assert config(tmp_path / "run")["task"]["name"] == task
    names = {path.name for path in (tmp_path / "run").iterdir() if path.name[0] != "."}
    assert names >= {
        "best",
        "checkpoints",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "report.html",
        "samples.jsonl",
    }
    assert ("On test data" in said) == (kind == "side")
    if kind == "side":
        (_, bleu), *_ = run.points("test", "bleu")
        assert f"bleu {bleu:.4g}" in said
    about = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert about["task"] == task and about["processes"] == 1 and about["parameters"] > 0
    assert regard.Run(tmp_path / "run").predict(["ab"])[0].text == "ab"


def test_a_dry_run_says_how_the_data_is_read_and_leaves_nothing(
    tmp_path: Path, done: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = put(tmp_path / "data", "pairs.tsv")
    monkeypatch.chdir(tmp_path)
    said = done("train", "--data", data, "--dry-run")
    assert "read as translate (source -> target)" in said and "1. source: ab" in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data", "pairs.tsv"]
    assert "dates makes its own data" in done(
        "train", "dates", "--set", "languages=en,fr", "--dry-run"
    )


def test_one_may_ask_for_the_other_direction(tmp_path: Path, done: Call) -> None:
    data = put(tmp_path, "side")
    assert "(en -> de)" in done("train", "--data", data, "--dry-run")
    turned = done("train", "--data", data, "--source", "de", "--target", "en", "--dry-run")
    assert "(de -> en)" in turned


def test_settings_win_in_the_order_recipe_file_options_assignments(
    tmp_path: Path, done: Call
) -> None:
    data, given = put(tmp_path, "pairs.tsv"), tmp_path / "given.toml"
    given.write_text("[train]\nlearning_rate = 0.5\nbeta2 = 0.5\nclip = 2\n[task]\nsmoothing=0.2\n")
    more = ["--config", str(given), "--lr", "0.25", "--set", "beta2=0.75"]
    done(*train_arguments(data, tmp_path / "run", *more))
    settings = config(tmp_path / "run")
    train = settings["train"]
    assert (train["learning_rate"], train["beta2"], train["clip"]) == (0.25, 0.75, 2.0)
    assert train["weight_decay"] == USUAL["weight_decay"]
    assert settings["task"]["smoothing"] == 0.2


def test_a_finished_run_is_found_again_and_trains_no_further(tmp_path: Path, done: Call) -> None:
    arguments = train_arguments(put(tmp_path, "pairs.tsv"), tmp_path / "run")
    done(*arguments)
    weights = (tmp_path / "run" / "best" / "model.safetensors").read_bytes()
    said = done(*arguments)
    assert "is finished already; nothing was trained now." in said and "Learning" not in said
    assert "finished already" in done("train", "--resume", tmp_path / "run")
    assert read_run(tmp_path / "run").steps == 3
    assert (tmp_path / "run" / "best" / "model.safetensors").read_bytes() == weights
    done(*arguments, "--resume", "never")
    assert (tmp_path / "run-2" / "best").is_dir()


def test_a_run_begins_with_another_and_goes_on_with_the_data_it_had(
    tmp_path: Path, done: Call, mistake: Call
) -> None:
    data = put(tmp_path, "labels.csv")
    done(*train_arguments(data, tmp_path / "old"))
    text = data.read_text()
    data.write_text(text.replace("without", "out") + "cc dd,with\n")
    more = ["train", "--resume", tmp_path / "old", "--steps", "5"]
    said = mistake(*more)
    assert "has changed since the run in" in said and "--data-as-trained goes on" in said
    assert "(the copy that the run began with)" in done(*more, "--data-as-trained")
    new = ["train", "--data", data, "--from", tmp_path / "old", "--out", tmp_path / "new"]
    assert "new are output.weight" not in (said := done(*new, "--steps", "2"))
    assert f"Begun with {tmp_path / 'old'}: " in said and "for 1 of 2 classes" in said
    assert config(tmp_path / "new")["train"]["start"] == str(tmp_path / "old")
    said = mistake(*new[:-1], tmp_path / "third", *sets("layers=3"))
    assert "has model.layers 1, and 3 is asked for" in said


def test_a_quiet_run_says_nothing(tmp_path: Path, done: Call) -> None:
    data = put(tmp_path, "labels.csv")
    assert done(*train_arguments(data, tmp_path / "run", "--quiet")) == ""
    assert done(*train_arguments(data, tmp_path / "run", "--quiet")) == ""


def test_a_run_with_other_settings_is_not_resumed(
    tmp_path: Path, done: Call, mistake: Call
) -> None:
    data = put(tmp_path, "pairs.tsv")
    done(*train_arguments(data, tmp_path / "run"))
    said = mistake(*train_arguments(data, tmp_path / "run", "--lr", "0.5", "--set", "clip=2.0"))
    rate = USUAL["learning_rate"]
    assert f"train.learning_rate is {rate} in the run and 0.5 now" in said
    assert "train.clip is 1.0 in the run and 2.0 now" in said
    assert "--resume never" in said
    many = sets("clip=2.0", "longest=9", "eval_batch_size=5", "batch_tokens=99", "seed=7")
    said = mistake(*train_arguments(data, tmp_path / "run", *many))
    assert said.count(" in the run and ") == 4 and "and 1 more; give the old values" in said


def test_a_part_of_ones_own_is_named_again_to_resume(
    tmp_path: Path, done: Call, mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_parts.py").write_text(
        "from regard.normalizers import Softmax\n"
        "def Sharp(times):\n"
        "    return Softmax(1 / times)\n"
        "def plain(scores, where=None):\n"
        "    return Softmax()(scores, where)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    given = train_arguments(put(tmp_path, "labels.csv"), tmp_path / "run")
    done(*given, "--normalizer", "my_parts:plain")
    assert config(tmp_path / "run")["model"]["attention"]["normalizer"] == {"own": "my_parts:plain"}
    more = ["train", "--resume", tmp_path / "run", "--steps", "4"]
    assert "its normalizer is yours (my_parts:plain)" in mistake(*more)
    assert "normalizer is yours" in mistake("predict", tmp_path / "run", "ab")
    done(*more, "--normalizer", "my_parts:plain")
    assert read_run(tmp_path / "run").steps == 4
    # One that has a name here is called by it, and needs no second naming.
    done(*given[:4], tmp_path / "sharp", *given[5:], "--normalizer", "my_parts:Sharp(4)")
    assert done("predict", tmp_path / "sharp", "ab")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("clip=2", ("clip", 2)),
        ("model.norm=pre", ("model.norm", "pre")),
        ("joint = false", ("joint", False)),
        ("path=a=b", ("path", "a=b")),
        ("task='classify'", ("task", "classify")),
        ("tokens={kind = 'words'}", ("tokens", {"kind": "words"})),
        ("languages=en,fr", ("languages", "en,fr")),
        ("widths=2,3", ("widths", [2, 3])),
        ("pooling=hard(estimator=gumbel)", ("pooling", "hard(estimator=gumbel)")),
        ("dropout=.5", ("dropout", 0.5)),
        ("clip=1.", ("clip", 1.0)),
        ("compile=True", ("compile", True)),
        ("path=-", ("path", "-")),
    ],
)
def test_an_assignment_is_read_as_toml_as_python_or_as_text(
    text: str, wanted: tuple[str, Any]
) -> None:
    found = assignment(text)
    assert found == wanted and type(found[1]) is type(wanted[1])


@pytest.mark.parametrize("text", ["clip", "=3", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--set takes key=value, such as learning_rate=1e-3; got"):
        assignment(text)


def test_a_file_of_long_lines_and_odd_ends_is_read_as_it_is(tmp_path: Path, done: Call) -> None:
    rows = [(f"{one}\u2028x", other) for one, other in PAIRS]
    path = as_table(tmp_path / "odd.tsv", ("source", "target"), rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    done(*train_arguments(path, tmp_path / "run"))
    assert regard.Run(tmp_path / "run").predict(["ab\u2028"])[0].unknown == ()
