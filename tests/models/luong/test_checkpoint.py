"""A saved network is the network; anything else is refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.models.luong import Luong, LuongConfig, load, save
from regard.normalizers import sparsemax
from tests.models.luong.small import SIZES, SOME, named, ragged_batch


@pytest.mark.parametrize("form", SOME, ids=named)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    form: dict[str, str], tmp_path: Path
) -> None:
    model = Luong(LuongConfig(**SIZES | form))
    save(model, tmp_path)
    again = load(tmp_path)
    source, lengths, target = ragged_batch()
    assert torch.equal(model(source, target, lengths), again(source, target, lengths))
    assert again.config == model.config
    assert not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_a_normalizer_is_loaded_when_it_is_given_again(tmp_path: Path) -> None:
    model = Luong(LuongConfig(**SIZES), sparsemax)
    save(model, tmp_path)
    source, lengths, target = ragged_batch()
    again = load(tmp_path, sparsemax)
    assert torch.equal(model(source, target, lengths), again(source, target, lengths))


def test_weights_of_another_form_are_refused_naming_all_of_them(tmp_path: Path) -> None:
    save(Luong(LuongConfig(**SIZES)), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"general"', '"concat"'))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert set(caught.value.missing) == {
        "attention.key.weight",
        "attention.score.query_weight",
        "attention.score.v",
    }
    assert set(caught.value.unexpected) == {"attention.score.weight"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "rnnsearch"}, 'not the configuration of a "luong" model'),
        ({"attention": "local"}, "attention.*'global', 'local_m', 'local_p', 'none'"),
        ({"attention": "none"}, "set input_feeding to 'off'"),
        ({"layers": 1001}, "layers must be between 1 and 1000"),
        ({"beams": 3}, "unknown keys .'beams'."),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    save(Luong(LuongConfig(**SIZES)), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    save(Luong(LuongConfig(**SIZES)), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load(tmp_path)
