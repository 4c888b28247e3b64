"""A run that begins with another's weights: what is taken over, and what is new and said so."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.errors import UsageError
from regard.models.weights import shared_names
from regard.run.run import Run
from regard.run.training import Options
from regard.tasks.classify import Classify
from tests.run.test_same_data import QUIET, copied, equal, trained
from tests.run.tiny import SMALL

RECIPES = ["transformer", "lstm", "din"]
MORE = ["luong", "lstm_regressor", "abcnn", "han", "memory", "youtube_dnn", "transformer_lm"]
STILL = {"learning_rate": 1e-12, "weight_decay": 0.0, "steps": 1, "average": 0}
"""Settings with which the weights stay what they are, near enough."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begun(start: object, data: Path | None = None, out: str = "new", **given: Any) -> Run:
    options = given.pop("options", QUIET)
    settings = {"batch_tokens": SMALL["lstm"]["batch_tokens"], **STILL, **given}
    if data is None or "label" not in data.name:
        del settings["batch_tokens"]
    path = None if data is None else str(data)
    return regard.train(path, start=start, out=out, options=options, **settings)


def near(one: Run, other: Run) -> bool:
    """Whether all that is learned by gradients is the same; other statistics move all the same."""
    old, new = (dict(run.model.named_parameters()) for run in (one, other))
    return all(torch.allclose(old[name], new[name], atol=1e-6) for name in old)


@pytest.mark.parametrize(
    "recipe", [*RECIPES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
)
def test_with_the_same_data_every_tensor_is_taken_over(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(recipe)
    old = trained(recipe, data, "old", steps=3)
    new = begun(old.path, data, options=Options())
    said = capsys.readouterr().out
    whole, count = re.findall(r"Begun with old: (\d+) of (\d+) tensors are taken over\.", said)[0]
    floating = {k: v for k, v in old.model.state_dict().items() if v.is_floating_point()}
    assert whole == count == str(len(floating.keys() - shared_names(old.model).keys()))
    assert near(old, new) and new.settings.train.start == "old"
    assert old.model.config == new.model.config


def test_dates_begin_with_dates_of_the_same_languages() -> None:
    given = {**SMALL["dates"], "examples_per_epoch": 300, "valid_questions": 4}
    old = regard.train(recipe="dates", out="old", steps=1, options=QUIET, **given)
    new = begun("old", examples_per_epoch=300, valid_questions=4)
    assert near(old, new) and new.settings.task.languages == ("en",)
    with pytest.raises(UsageError, match=r"has task.languages \['en'\], and \['fr'\] is asked for"):
        begun("old", out="other", languages="fr")


def test_labels_keep_their_weights_by_name_and_new_ones_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = copied("lstm")
    old = trained("lstm", data, "old", steps=3)
    text = data.read_text()
    more = "".join(line.replace(",with", ",also") for line in text.splitlines(True)[1::2])
    data.write_text(text + more)
    new = begun("old", data, "some", options=Options())
    assert new.predictor.coder.labels[0].startswith("also")
    said = capsys.readouterr().out
    assert re.search(r"in part output.weight \(for 2 of 4 classes\), output.bias \(for 2", said)
    kept = [new.predictor.coder.labels.index(label) for label in old.predictor.coder.labels]
    rows = new.model.state_dict()["output.weight"][kept]
    assert torch.allclose(rows, old.model.state_dict()["output.weight"], atol=1e-6)
    data.write_text(text.replace(",with", ",so"))
    begun("old", data, "others", options=Options())
    assert "new are output.weight (2 classes there, 2 here), output.bias (" in (
        capsys.readouterr().out
    )


def test_labels_with_other_numbers_are_not_exchanged() -> None:
    data = copied("lstm")
    old = trained("lstm", data, "old", steps=3)
    renamed = data.read_text().replace(",without", ",a").replace(",with", ",without")
    data.write_text(renamed)  # Of `with` and `without` the second is now the second of `a` and it.
    new = begun("old", data)
    assert (old.predictor.coder.labels, new.predictor.coder.labels) == (
        ("with", "without"),
        ("a", "without"),
    )
    was, now = old.model.state_dict()["output.weight"], new.model.state_dict()["output.weight"]
    assert torch.allclose(was[1], now[1], atol=1e-6) and not torch.allclose(was[0], now[0])


def test_items_and_words_keep_their_weights_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    data = copied("din")
    old = trained("din", data, "old", steps=3)
    # The most frequent come first, so that all numbers are others.
    data.write_text(
        data.read_text() + "".join(f"u{n}\tnew\t1\t9\nu{n}\ti3\t1\t10\n" for n in range(9))
    )
    new = begun("old", data, options=Options())
    assert re.search(r"in part .*\(for \d+ of \d+ items\)", capsys.readouterr().out)
    before, after = old.predictor.coder.catalogue.items, new.predictor.coder.catalogue.items
    assert before != after[: len(before)] and set(before) < set(after)
    table, again = old.model.item_table, new.model.item_table
    for number, name in enumerate(before):
        assert torch.allclose(table[number], again[after.index(name)], atol=1e-6), name
    stories = copied("memory")
    old = trained("memory", stories, "told", steps=2)
    stories.write_text(stories.read_text().replace("garden", "attic"))
    new = begun("told", stories, "retold")
    was, now = old.predictor.coder.vocabulary.tokens, new.predictor.coder.vocabulary.tokens
    assert "attic" in now and "garden" not in now and was.index("daniel") != now.index("daniel")


def test_the_tokens_are_those_of_the_network_and_unknown_ones_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = copied("lstm")
    old = trained("lstm", data, "old", steps=2)
    data.write_text(data.read_text().replace("ab", "ξψ"))
    new = begun("old", data, options=Options())
    assert new.predictor.coder.tokenizer.encode(["ace"]).values.tolist() == (
        old.predictor.coder.tokenizer.encode(["ace"]).values.tolist()
    )
    said = capsys.readouterr().out
    assert re.search(r"[1-9]\d* of \d+ tokens of the training texts are unknown to it\.", said)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"embed_dim": 16}, "the network in old has model.embed_dim 8, and 16 is asked for"),
        ({"tokens": "words"}, "has task.tokens.kind 'characters', and 'words' is asked for"),
        ({"model": "cnn"}, "the network in old is lstm for classify, not cnn"),
        ({"task": "match"}, "the network in old is lstm for classify, not match"),
        ({"recipe": "han"}, "the network in old is lstm for classify, not han"),
        ({"start": "gone"}, "gone is nothing to begin with: there is no folder gone"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_what_the_network_is_not_is_refused(given: dict[str, Any], why: str) -> None:
    data = copied("lstm")
    trained("lstm", data, "old", steps=1)
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        begun(**{"start": "old", "data": data, **given})
    assert "\n" not in str(caught.value) and not Path("new").exists()


def test_dropout_may_be_another_and_a_model_folder_will_do() -> None:
    data = copied("lstm")
    old = trained("lstm", data, "old", steps=2)
    new = begun("old/best", data, dropout=0.1, word_dropout=0.0)
    assert new.model.config.dropout == 0.1 and near(old, new)
    shutil.copytree("old/best", "alone")
    assert near(old, begun("alone", data, "third"))
    with pytest.raises(UsageError, match="a Task object has its network: read the weights into"):
        regard.train(task=Classify(str(data), lambda **_: old.model), start="old", steps=1)


def test_a_run_is_named_after_what_it_begins_with_and_reads_its_data() -> None:
    data = copied("lstm")
    trained("lstm", data, "runs/old", steps=1)
    new = regard.train(start="runs/old/best", options=QUIET, **STILL)
    assert new.path == Path("runs/labels-from-old")
    assert new.settings.data is not None and new.settings.data.path == str(data)


def test_an_interrupted_one_ends_as_the_uninterrupted_and_needs_its_origin_no_more() -> None:
    data, same = copied("lstm"), {"schedule": "constant", "warmup": 1, "evaluate_every": 2}
    trained("lstm", data, "old", steps=3)
    change = {"learning_rate": 0.01, **same}
    whole = begun("old", data, "whole", **{**change, "steps": 4})
    part = begun("old", data, "part", **{**change, "steps": 2})
    shutil.rmtree("old")
    assert equal(whole, part.resume(steps=4, options=QUIET))
    # Also where what was encoded is lost.
    shutil.rmtree("part/tokens")
    assert part.resume(steps=6, options=QUIET).metrics["valid"]["step"] > 0


def test_one_that_has_learned_nothing_yet_begins_with_what_the_origin_is_now() -> None:
    data = copied("lstm")
    trained("lstm", data, "old", steps=1)
    new = begun("old", data)
    for name in ("best", "checkpoints"):
        shutil.rmtree(new.path / name)
    (new.path / "summary.json").unlink()
    shutil.rmtree("old")
    old = trained("lstm", data, "old", steps=3, seed=5)
    again = begun("old", data)
    assert near(old, again)
