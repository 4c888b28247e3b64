"""A saved convolutional classifier is the classifier; anything else is refused with a sentence."""

from pathlib import Path

import pytest
import torch

from regard.config import from_json, to_json
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.models.cnn import CNNClassifier, CNNConfig
from regard.normalizers import sparsemax
from regard.scores import Additive
from tests.models.cnn.small import GUIDED, MAX, POOLINGS, config, ragged_batch


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    pooling: str, tmp_path: Path
) -> None:
    model = CNNClassifier(config(pooling, dropout=0.5)).eval()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(ragged_batch()), again(ragged_batch()))
    assert again.config == model.config and not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_parts_that_were_given_are_saved_by_their_names(tmp_path: Path) -> None:
    attend = Attend(Additive(query_dim=5, key_dim=9, hidden_dim=4), normalizer=sparsemax)
    model = CNNClassifier(config(GUIDED), attend).eval()
    assert model.config.pooling.score == "additive(hidden_dim=4)"
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(ragged_batch()), again(ragged_batch()))
    assert again.config == model.config


def test_weights_of_another_pooling_are_refused(tmp_path: Path) -> None:
    save(CNNClassifier(config(MAX)), tmp_path)
    (tmp_path / "config.json").write_text(to_json(config(GUIDED), format=2))
    with pytest.raises(CheckpointMismatch, match=r"guide\.layers\.0"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"max"', '"min"', "there is no pooling 'min'"),
        ('"cnn"', '"rnn"', "its model_type is 'rnn'"),
        ('"filters": 3', '"filters": 0', "filters must be at least 1"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    old: str, new: str, why: str, tmp_path: Path
) -> None:
    save(CNNClassifier(config(MAX)), tmp_path)
    text = (tmp_path / "config.json").read_text()
    assert old in text
    (tmp_path / "config.json").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"config.json: .*{why}"):
        load(tmp_path)


def test_a_configuration_survives_json() -> None:
    one = config(GUIDED, dropout=0.25)
    assert from_json(to_json(one), CNNConfig) == one
