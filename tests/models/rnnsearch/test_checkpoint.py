"""A saved network is the network; anything else is refused with a sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.models.rnnsearch import RNNsearch
from regard.normalizers import Entmax
from regard.scores import Additive, Bilinear
from tests.models.rnnsearch.small import config, ragged_batch

CONFIG = config()


@pytest.fixture
def model() -> RNNsearch:
    return RNNsearch(CONFIG)


def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    model: RNNsearch, tmp_path: Path
) -> None:
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config == CONFIG
    assert not again.training


def test_saving_leaves_nothing_else_behind(model: RNNsearch, tmp_path: Path) -> None:
    save(model, tmp_path)
    save(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_a_save_that_fails_keeps_the_old_file(
    model: RNNsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(model, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        save(RNNsearch(CONFIG), tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("score", [lambda: Bilinear(5, 4), lambda: Additive(5, 4, 3)])
def test_parts_that_were_passed_in_are_loaded_by_their_names(score: Any, tmp_path: Path) -> None:
    model = RNNsearch(CONFIG, Attend(score(), normalizer=Entmax(1.3)))
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert type(again.attend.score) is type(score()) and again.attend.normalizer == Entmax(1.3)
    assert again.config == model.config != CONFIG


def test_weights_of_another_size_are_refused_naming_all_of_them(
    model: RNNsearch, tmp_path: Path
) -> None:
    save(model, tmp_path)
    text = (tmp_path / "config.json").read_text()
    text = text.replace('"attention_dim": 4', '"attention_dim": 5')
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    wrong = {"key.weight", "attend.score.query_weight", "attend.score.v"}
    assert set(caught.value.wrong_shaped) == wrong


def changed(folder: Path, **changes: object) -> str:
    return json.dumps(json.loads((folder / "config.json").read_text()) | changes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "it is not a configuration"),
        ("{}", "its model_type is None"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": Infinity}', "Infinity"),
        ("[" * 100_000, "nested"),
    ],
)
def test_what_is_no_configuration_is_refused(
    model: RNNsearch, tmp_path: Path, text: str, why: str
) -> None:
    save(model, tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "bert"}, "its model_type is 'bert'"),
        ({"_attn_implementation": "os.system"}, "there is no _attn_implementation in rnnsearch"),
        ({"attention": "look"}, "there is no attention 'look': .*search"),
        ({"attention": {"kind": "search", "score": "aditive"}}, "no score 'aditive': .*additive"),
        ({"hidden_dim": 0}, "hidden_dim must be at least 1"),
        ({"hidden_dim": 10**9}, "hidden_dim must be at least 1 and at most 65536"),
        ({"hidden_dim": 4.5}, "hidden_dim must be a whole number"),
        ({"hidden_dim": True}, "hidden_dim must be a whole number"),
        ({"hidden_dim": "4"}, "hidden_dim must be a whole number"),
        ({"hidden_dim": None}, "hidden_dim must be a whole number"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    model: RNNsearch, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    save(model, tmp_path)
    (tmp_path / "config.json").write_text(changed(tmp_path, **changes))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_a_huge_configuration_costs_no_memory(model: RNNsearch, tmp_path: Path) -> None:
    save(model, tmp_path)
    huge = changed(tmp_path, embed_dim=65_536, hidden_dim=65_536, source_vocab=1_000_000)
    (tmp_path / "config.json").write_text(huge)
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(model: RNNsearch, tmp_path: Path, name: str) -> None:
    save(model, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load(tmp_path)


def test_a_network_without_attention_comes_back_without_it(tmp_path: Path) -> None:
    model = RNNsearch(config(attention="none"))
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config and again.attend is None
    assert not any(name.startswith(("key", "attend")) for name, _ in again.named_parameters())


OLD = {
    "model_type": "rnnsearch",
    "source_vocab": 30,
    "target_vocab": 7,
    "embed_dim": 6,
    "hidden_dim": 5,
    "state_dim": 5,
    "align_dim": 4,
    "maxout_dim": 3,
    "dropout": 0.0,
    "attention": "search",
}


def old_names(folder: Path) -> None:
    """Give the weights in a folder the names of version 0.1."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = {n.removeprefix("attend."): t for n, t in load_file(path).items()}
    save_file(tensors, path)


def test_a_network_of_the_first_version_still_loads(model: RNNsearch, tmp_path: Path) -> None:
    save(model, tmp_path)
    old_names(tmp_path)
    for entries in (OLD, {key: OLD[key] for key in OLD if key != "attention"}):
        (tmp_path / "config.json").write_text(json.dumps(entries))
        again = load(tmp_path)
        assert again.config == CONFIG
        assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    (tmp_path / "config.json").write_text(json.dumps(OLD | {"state_dim": 8}))
    with pytest.raises(ValueError, match="state is 8 wide and its encoder's 5"):
        load(tmp_path)
