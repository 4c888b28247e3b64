"""Every recipe goes from its data to a model that can be asked, measured and looked at."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.cli.parser import _MODELS, _RECIPES, _TASKS
from regard.cli.recipes import BY_TASK, RECIPES, brings_data
from regard.view.run_log import read_run
from tests.cli.small import put

Call = Callable[..., str]

DATA = {"translate": "pairs.tsv", "language_model": "text.txt"}
"""Small data for the tasks that bring none."""
TEXTS = {
    "dates": "<en> March 3, 2026",
    "match": "a dog sees the cat\ta cat is seen",
    "answer": "Mary went to the kitchen. Where is Mary?",
}


def test_what_may_be_typed_is_what_there_is() -> None:
    assert set(_RECIPES) == set(RECIPES) == set(BY_TASK.values())
    assert set(_MODELS) == {model for _, model in BY_TASK}
    assert set(_TASKS) == {task for task, _ in BY_TASK}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_answers_and_is_measured(
    name: str, tmp_path: Path, done: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = RECIPES[name]["data"]["task"]
    data = [] if brings_data(name) else ["--data", put(tmp_path, DATA[task])]
    small = [] if name == "dates" else ["--set", "embed_dim=8"]
    done("train", name, *data, "--out", "run", "--steps", "2", "--threads", "1", *small)
    run = read_run(Path("run"))
    assert run.status() == "finished" and run.steps == 2
    text = TEXTS.get(task, "ab cd")
    if task == "recommend":
        text = run.samples[0]["samples"][0]["input"]
    answer = json.loads(done("predict", "run", text, "--json"))
    assert answer["text"] == text and len(answer["alignment"][0]) == len(answer["inputs"])
    assert done("predict", "run", text, "--show").count("\n") > 2
    scores = json.loads(done("eval", "run", "--split", "valid", "--json"))
    assert scores["examples"] > 0
    page = Path("run/report.html").read_text("utf-8")
    assert 'class="film"' in page
