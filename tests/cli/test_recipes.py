"""`regard recipes`, and what every recipe does with its own data."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from regard.cli import main
from regard.config import fields_of
from regard.models import MODELS, model_class
from regard.run.recipes import OLDER, USUAL, brings_data, names, recipe
from regard.tasks import TASKS
from regard.view.run_log import read_run
from tests.cli.small import put

Call = Callable[..., str]

DATA = {
    "translate": "pairs.tsv",
    "text_to_text": "pairs.tsv",
    "span_corruption": "text.txt",
    "permutation_lm": "text.txt",
    "language_model": "text.txt",
    "masked_lm": "text.txt",
    "regress": "numbers.csv",
}
"""Small data for the tasks that bring none."""
TEXTS = {
    "dates": "<en> March 3, 2026",
    "span_corruption": "ab<extra_id_0>d",
    "permutation_lm": "ab<mask>d",
    "similarity": "a dog sees the cat\ta cat is seen",
    "match": "a dog sees the cat\ta cat is seen",
    "answer": "Mary went to the kitchen. Where is Mary?",
    "masked_lm": "ab [MASK]",
    "extract": "Mary lives in Rome. Where does Mary live?",
}
PICTURES = {"image_classify", "segment", "caption"}
SHORT = {
    "translate": "extra_length=5",
    "text_to_text": "extra_length=5",
    "span_corruption": "length=6",
    "permutation_lm": "block=6",
    "masked_lm": "block=6",
    "language_model": "length=5",
}


def test_help_names_all_that_may_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    from regard.cli import main

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for known in (names(), MODELS, TASKS):
        assert ", ".join(known) in said


def test_every_recipe_is_listed_with_its_task_and_in_a_line(done: Call) -> None:
    lines = done("recipes", "ls").splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert [line.split()[1] for line in lines] == [recipe(name)["task"]["name"] for name in names()]
    assert all(len(line.split()) > 4 for line in lines)


@pytest.mark.parametrize("name", ["lstm", "classify", "stories"])
def test_a_recipe_is_printed_by_its_own_name_its_tasks_or_its_old_one(
    name: str, done: Call
) -> None:
    assert tomllib.loads(done("recipes", "cat", name)) == recipe(name)


def test_a_recipe_is_copied_changed_and_given_back(
    tmp_path: Path, done: Call, mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "labels.csv")
    assert "regard train --config lstm.toml" in done("recipes", "cp", "lstm")
    assert "lstm.toml exists and is kept" in mistake("recipes", "cp", "lstm")
    assert done("recipes", "cp", "lstm", "mine.toml").startswith("mine.toml: ")
    (tmp_path / "there").mkdir()
    assert done("recipes", "cp", "lstm", "there").startswith("there/lstm.toml: ")

    text = Path("mine.toml").read_text().replace("embed_dim = 100", "embed_dim = 7")
    Path("mine.toml").write_text(text)
    done("train", "--config", "mine.toml", "--data", "labels.csv", "--out", "run", "--steps", "1")
    config = tomllib.loads(Path("run/config.toml").read_text())
    wanted = recipe("lstm")["model"]["hidden_dim"]
    assert (config["model"]["embed_dim"], config["model"]["hidden_dim"]) == (7, wanted)
    assert (config["train"]["steps"], "epochs" in config["train"]) == (1, False)


@pytest.mark.parametrize(
    ("old", "new"), [("stories", "memory"), ("characters", "transformer_lm"), ("match", "abcnn")]
)
def test_a_recipe_is_found_by_its_old_name(old: str, new: str) -> None:
    assert recipe(old) is recipe(new) and {**OLDER, **USUAL}[old] == new


def test_data_is_found_by_its_old_name_which_is_said(done: Call) -> None:
    with pytest.warns(DeprecationWarning, match="made:opinions is now called synthetic:opinions"):
        said = done("train", "lstm", "--data", "made:opinions", "--dry-run")
    assert "made:opinions is now called synthetic:opinions" in said
    assert "read as classify (text, label)" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_recipe_trains_answers_and_is_measured(
    name: str, tmp_path: Path, done: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = recipe(name)["task"]["name"]
    data = [] if brings_data(name) else ["--data", put(tmp_path, DATA[task])]
    sizes = fields_of(model_class(recipe(name)["model"]["name"]).config_type)
    small = ["--set", "embed_dim=8"] if "embed_dim" in sizes and name != "dates" else []
    small += ["--set", SHORT[task]] if task in SHORT else []
    done("train", name, *data, "--out", "run", "--steps", "2", "--threads", "1", *small)
    run = read_run(Path("run"))
    assert run.status() == "finished" and run.steps == 2
    text = TEXTS.get(task, "ab cd")
    if task == "recommend":
        text = run.samples[0]["samples"][0]["input"]
    if task in PICTURES:
        Image.new("RGB", (40, 30), "red").save(text := "red.png")
    answer = json.loads(done("predict", "run", text, "--json"))
    assert answer["text"] == text and answer["answer"]
    if task not in PICTURES:
        assert len(answer["alignment"][0]) == len(answer["inputs"])
        assert '<div id="regard"' in Path("run/report.html").read_text("utf-8")
        assert done("predict", "run", text, "--show").count("\n") > 2
    scores = json.loads(done("eval", "run", "--split", "valid", "--json"))
    assert scores["examples"] > 0


def test_every_setting_of_a_recipe_is_listed_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in names():
        assert main(["recipes", "keys", name]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) > 30 and any(line.startswith("train.seed = 0 ") for line in lines)
        unsaid = [line for line in lines if "    " not in line]
        assert not unsaid, (name, unsaid)
