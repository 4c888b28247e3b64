"""A saved network is the network; anything else is refused with a sentence."""

import json
import os
from pathlib import Path

import pytest
import torch

from regard.models.checkpoint import load_network, save
from regard.models.rnnsearch import RNNsearch
from tests.models.rnnsearch.small import config, ragged_batch

CONFIG = config()


@pytest.fixture
def model() -> RNNsearch:
    return RNNsearch(CONFIG)


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
        again = load_network(tmp_path)
        assert again.config == CONFIG
        assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    (tmp_path / "config.json").write_text(json.dumps(OLD | {"state_dim": 8}))
    with pytest.raises(ValueError, match="state is 8 wide and its encoder's 5"):
        load_network(tmp_path)
