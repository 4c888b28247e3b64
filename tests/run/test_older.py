"""Runs that version 0.1 trained load, answer and are measured as then.

`older/` has tiny ones of it, one for each form that its files had. `answers.json` is what that
version itself said of a few texts. `unfinished/` has two that were interrupted, with their data.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard._io.manifest import write_manifest
from regard.data.synthetic.data_sets import DATA
from regard.errors import UsageError
from regard.run.older import upgraded_sections
from regard.run.recipes import recipe
from regard.run.run import Run
from regard.run.saved_settings import settings_in
from regard.run.settings import settings_of
from regard.run.training import Options
from tests.cli.small import put
from tests.run.tiny import data_of

OLDER = Path(__file__).parent / "older"
UNFINISHED = Path(__file__).parent / "unfinished"
NAMES = sorted(path.name for path in OLDER.iterdir())
FILES = {".tsv": "pairs.tsv", ".csv": "labels.csv", ".txt": "text.txt"}

WRITTEN = {"translate": {"extra_length": 5}, "language_model": {"length": 12}}
"""Task → how long the answers of then could be; no setting said it yet."""

KEPT: dict[str, tuple[str, dict[str, Any]]] = {
    "abcnn": ("abcnn", {"attention": "input", "similarity": "cosine"}),
    "characters": ("transformer_lm", {"positions": "learned", "norm": "pre"}),
    "cnn-attention": ("cnn", {"pooling": "attention(score=additive, normalizer=top_k(8), at"}),
    "cnn-guided": ("cnn", {"pooling": "guided(hidden_dim=4)"}),
    "din-paper": ("din", {"interest_layer": False, "item_bias": False, "activation": "prelu"}),
    "han": ("han", {"sentence_pooling": "mean"}),
    "learned": ("transformer_classifier", {"positions": "learned", "max_length": 256}),
    "lstm": ("lstm", {"pooling": "attention(score=cosine(0.1), normalizer=sparsemax, attention"}),
    "lstm-hard": ("lstm", {"pooling": "hard(attention_dim=5, estimator=gumbel)", "cell": "gru"}),
    "lstm-mean": ("lstm", {"pooling": "mean", "layers": 2}),
    "luong": ("luong", {"attention": "local_m(score=luong_concat, normalizer=entmax, window=2)"}),
    "luong-local-p": ("luong", {"attention": "local_p(variant=official)"}),
    "luong-none": ("luong", {"attention": "none"}),
    "memory": ("memory", {"tying": "layerwise", "hops": 2}),
    "memory-hard": ("memory", {"attention": "hard(estimator=gumbel)"}),
    "rnnsearch": ("rnnsearch", {"hidden_dim": 6}),
    "rnnsearch-none": ("rnnsearch", {"attention": "none"}),
    "translate": ("transformer", {"positions": "sinusoidal"}),
    "universal": ("transformer_classifier", {"sharing": "adaptive"}),
    "youtube_dnn": ("youtube_dnn", {"pooling": "attention"}),
}
"""Run → the model it is, and some of what its configuration says."""


def opened(name: str) -> Run:
    """A run of then, whose answers are as long as then."""
    run = Run(OLDER / name)
    predictor = run.predictor
    more = WRITTEN.get(type(predictor).task, {})
    predictor.coder = replace(predictor.coder, **more)
    return run


def spelled(value: Any) -> Any:
    return value.spelled() if hasattr(value, "spelled") else value


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_then_answers_as_then(name: str) -> None:
    run = opened(name)
    for wanted in json.loads((OLDER / name / "answers.json").read_text()):
        (answer,) = run.predict([wanted["text"]])
        texts = [text for text, _ in answer.answers]
        assert texts == [text for text, _ in wanted["answers"]]
        scores = torch.tensor([score for _, score in answer.answers])
        torch.testing.assert_close(
            scores, torch.tensor([s for _, s in wanted["answers"]]), rtol=1e-4, atol=1e-4
        )
        assert (answer.weights is None) == (wanted["weights"] is None)
        if answer.weights is not None:
            then = torch.tensor(wanted["weights"])
            torch.testing.assert_close(answer.weights, then, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_then_is_the_network_that_its_settings_say(name: str) -> None:
    model, settings = regard.load(OLDER / name), Run(OLDER / name).settings
    assert settings.model_name == model.config.tag and not model.training
    for key, value in settings.model.items():
        # A number of layers that is not said is that of the other side, and a cost of training was
        # not written beside the network.
        if value is not None and spelled(value) != "adaptive(ponder_cost=0.02)":
            assert getattr(model.config, key) == value, key
    if name in KEPT:
        tag, kept = KEPT[name]
        assert model.config.tag == tag
        for key, value in kept.items():
            assert str(spelled(getattr(model.config, key))).startswith(str(value)), key


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_then_are_settings_of_now(name: str) -> None:
    settings = settings_in(OLDER / name)
    assert settings_of(settings.entries()) == settings
    then = (OLDER / name / "config.toml").read_text()
    assert settings.train.steps == 2 and "steps = 2" in then
    assert settings.data is not None
    assert settings.data.path.startswith(("data.", "synthetic:"))


ONE_OF_EACH_TASK = ("abcnn", "characters", "din", "lstm", "memory", "rnnsearch-additive")


@pytest.mark.parametrize(
    "name",
    [n if n in ONE_OF_EACH_TASK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES],
)
def test_a_run_of_then_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for key, data in DATA.items():
        sizes = {split: max(24, count // 1000) for split, count in data.sizes.items()}
        monkeypatch.setitem(DATA, key, replace(data, sizes=sizes))
    run = opened(name)
    path = Path(run.settings.data.path if run.settings.data else "")
    if path.suffix in FILES:
        put(tmp_path, FILES[path.suffix]).rename(path)
    split, count, scores = run.evaluation(num_answers=1)
    assert count > 0 and scores and all(value == value for value in scores.values())


def test_a_run_of_then_without_checkpoints_is_not_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLDER / "lstm", "run")
    before = Path("run/config.toml").read_text()
    put(tmp_path, "labels.csv").rename("data.csv")
    with pytest.raises(UsageError, match="run has no valid checkpoint"):
        Run("run").resume(steps=3)
    assert Path("run/config.toml").read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "loss"), [("lstm", 0.404966), ("rnnsearch", 2.808839)])
def test_an_interrupted_run_of_then_ends_as_it_would_have(
    name: str, loss: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(UNFINISHED, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    run = regard.train(resume=name)
    lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
    valid = [entry for entry in map(json.loads, lines) if entry["kind"] == "valid"]
    assert valid[-1]["step"] == 24 and valid[-1]["loss"] == pytest.approx(loss, rel=1e-3)
    assert run.predict(["cab"])[0].answers


@pytest.mark.slow
def test_tokens_of_a_run_of_then_are_those_its_network_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(UNFINISHED, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for file in ("tokens/tokenizer.json", "best/tokenizer.json"):
        tokenizer = json.loads((tmp_path / "lstm" / file).read_text())
        vocab = tokenizer["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]  # As `unigram` may learn them anew.
        (tmp_path / "lstm" / file).write_text(json.dumps(tokenizer))
    best = tmp_path / "lstm" / "best"
    write_manifest(best, list(json.loads((best / "manifest.json").read_text())["files"]))
    regard.train(resume="lstm")
    for place in ("tokens", "best"):
        found = json.loads((tmp_path / "lstm" / place / "tokenizer.json").read_text())
        assert found["model"]["vocab"] == vocab


def test_dates_of_then_had_one_network_whatever_their_settings_say() -> None:
    model = {"name": "rnnsearch", "embed_dim": 16, "hidden_dim": 16, "align_dim": 128}
    parts = {"score": "additive", "normalizer": "softmax", "attention": "search"}
    then = {
        "data": {"task": "dates", "path": "", "languages": ["en"]},
        "model": {**model, "maxout_dim": 128, "dropout": 0.0, **parts},
        "train": {"steps": 9},
    }
    found, usual = upgraded_sections(then)["model"], recipe("dates")["model"]
    assert found["attention"]["attention_dim"] == usual["attention"]["attention_dim"]
    for size in ("name", "embed_dim", "hidden_dim", "maxout_dim", "dropout"):
        assert found[size] == usual[size]


@pytest.mark.parametrize(("name", "recipe"), [("lstm", "lstm"), ("translate", "transformer")])
def test_a_new_run_begins_with_one_of_then(name: str, recipe: str, tmp_path: Path) -> None:
    old = Run(OLDER / name)
    quiet, data = Options(progress=False), str(data_of(recipe))
    still = {"steps": 1, "learning_rate": 1e-12, "weight_decay": 0.0, "average": 0}
    new = regard.train(data, start=old.path, out=tmp_path / "new", options=quiet, **still)
    taken = [
        torch.allclose(weight, new.model.state_dict()[key], atol=1e-6)
        for key, weight in old.model.state_dict().items()
        if weight.shape == new.model.state_dict()[key].shape
    ]
    assert all(taken) and len(taken) >= len(old.model.state_dict()) - 2
