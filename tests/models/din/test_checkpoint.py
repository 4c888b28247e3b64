"""A saved Deep Interest Network is the network, its items' features included."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from regard.errors import CheckpointMismatch
from regard.models.checkpoint import load_network, save
from tests.models.din.small import PAPER, ragged_batch, small_model


def as_version_0_1(folder: Path, official: bool = True) -> None:
    """Turn a saved network into what version 0.1 wrote: sizes alone, features in `items.json`."""
    entries = json.loads((folder / "config.json").read_text())
    for key in ("format", "feature_columns", "interest_layer", "item_bias", "pooling"):
        del entries[key]
    variant = "official" if official else "paper"
    entries |= {"attention_dim": 6, "variant": variant, "pool": "attention"}
    (folder / "config.json").write_text(json.dumps(entries))
    weights = load_file(folder / "model.safetensors")
    features = weights.pop("embedding.features").tolist()
    save_file(weights, folder / "model.safetensors")
    items = {"items": [str(n) for n in range(len(features))], "features": features}
    (folder / "items.json").write_text(json.dumps(items | {"values": ["", "a", "b", "c", "d"]}))


@pytest.mark.parametrize("official", [True, False])
def test_a_network_of_version_0_1_finds_its_features_beside_it(
    tmp_path: Path, official: bool
) -> None:
    model = small_model(**({} if official else PAPER)).float()
    save(model, tmp_path)
    as_version_0_1(tmp_path, official)
    again = load_network(tmp_path)
    assert again.config == model.config
    assert torch.equal(again(*ragged_batch()), model(*ragged_batch()))


@pytest.mark.parametrize(
    "items", ["{", "[]", '{"features": 3}', '{"features": [[0.5]]}', '{"features": [[0], []]}']
)
def test_damaged_features_of_version_0_1_are_refused_by_the_file(
    tmp_path: Path, items: str
) -> None:
    save(small_model(), tmp_path)
    as_version_0_1(tmp_path)
    (tmp_path / "items.json").write_text(items)
    with pytest.raises(ValueError, match="items.json"):
        load_network(tmp_path)


def test_a_network_of_today_without_its_features_is_not_whole(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    items = {"features": weights.pop("embedding.features").tolist()}
    (tmp_path / "items.json").write_text(json.dumps(items))
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointMismatch) as caught:
        load_network(tmp_path)
    assert caught.value.missing == ["embedding.features"]
