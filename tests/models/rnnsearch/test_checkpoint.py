"""A saved network is the network; anything else is refused with a sentence."""

import json
import os
from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, load, save
from regard.scores import Bilinear
from tests.models.rnnsearch.small import BLIND, CONFIG, ragged_batch


@pytest.fixture
def model() -> RNNsearch:
    return RNNsearch(CONFIG)


def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    model: RNNsearch, tmp_path: Path
) -> None:
    save(model, tmp_path)
    again = load(tmp_path)
    source, lengths, target = ragged_batch()
    assert torch.equal(model(source, target, lengths), again(source, target, lengths))
    assert again.config == model.config
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


def test_another_score_is_loaded_when_it_is_given_again(tmp_path: Path) -> None:
    model = RNNsearch(CONFIG, score=Bilinear(8, 4))
    save(model, tmp_path)
    source, lengths, target = ragged_batch()
    again = load(tmp_path, score=Bilinear(8, 4))
    assert torch.equal(model(source, target, lengths), again(source, target, lengths))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


def test_weights_of_another_size_are_refused_naming_all_of_them(
    model: RNNsearch, tmp_path: Path
) -> None:
    save(model, tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"align_dim": 4', '"align_dim": 5'))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert set(caught.value.wrong_shaped) == {"key.weight", "score.query_weight", "score.v"}


def changed(**changes: object) -> str:
    return json.dumps(json.loads(CONFIG.to_json()) | changes)


def lacking(key: str) -> str:
    return json.dumps({k: v for k, v in json.loads(CONFIG.to_json()).items() if k != key})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "rnnsearch"),
        ("{}", "rnnsearch"),
        (changed(model_type="bert"), "rnnsearch"),
        (lacking("align_dim"), "lacks .'align_dim'."),
        (changed(_attn_implementation="os.system"), "unknown keys .'_attn_implementation'."),
        (changed(align_dim=0), "align_dim must be between 1 and"),
        (changed(align_dim=10**9), "align_dim must be between 1 and"),
        (changed(align_dim=4.0), "align_dim"),
        (changed(align_dim=True), "align_dim"),
        (changed(align_dim="4"), "align_dim"),
        (changed(align_dim=None), "align_dim"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": Infinity}', "Infinity"),
        ("[" * 100_000, "nested"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    model: RNNsearch, tmp_path: Path, text: str, why: str
) -> None:
    save(model, tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_a_huge_configuration_costs_no_memory(model: RNNsearch, tmp_path: Path) -> None:
    save(model, tmp_path)
    huge = changed(embed_dim=65_536, hidden_dim=65_536, source_vocab=1_000_000)
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
    model = RNNsearch(BLIND)
    save(model, tmp_path)
    source, lengths, target = ragged_batch()
    again = load(tmp_path)
    assert torch.equal(model(source, target, lengths), again(source, target, lengths))
    assert again.config == BLIND
    assert not any(name.startswith(("key", "score")) for name, _ in again.named_parameters())


def test_a_network_saved_before_attention_could_be_left_out_still_searches(
    model: RNNsearch, tmp_path: Path
) -> None:
    save(model, tmp_path)
    (tmp_path / "config.json").write_text(lacking("attention"))
    assert load(tmp_path).config == CONFIG


def test_a_configuration_survives_json() -> None:
    assert RNNsearchConfig.from_json(CONFIG.to_json()) == CONFIG
