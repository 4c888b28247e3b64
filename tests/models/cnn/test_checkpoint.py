"""A saved convolutional classifier is the classifier; anything else is refused with a sentence."""

from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.cnn import CNN, CNNConfig, load, save
from regard.scores import Additive
from tests.models.cnn.small import SUMMARIES, config, ragged_batch


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    summary: str, tmp_path: Path
) -> None:
    model = CNN(config(summary, dropout=0.5)).eval()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config and not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_another_score_is_loaded_when_it_is_given_again(tmp_path: Path) -> None:
    parts = {"query_dim": 5, "hidden_dim": 9}
    model = CNN(config("guided"), Attend(Additive(**parts))).eval()
    save(model, tmp_path)
    again = load(tmp_path, Attend(Additive(**parts)))
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


def test_weights_of_another_summary_are_refused(tmp_path: Path) -> None:
    save(CNN(config("max")), tmp_path)
    (tmp_path / "config.json").write_text(config("guided").to_json())
    with pytest.raises(CheckpointMismatch, match=r"guide\.layers\.0"):
        load(tmp_path)


@pytest.mark.parametrize(("old", "new"), [('"max"', '"min"'), ("cnn", "rnn"), (": 2,", ": 0,")])
def test_a_foreign_configuration_is_refused_by_name(old: str, new: str, tmp_path: Path) -> None:
    save(CNN(config("max")), tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=r"config.json"):
        load(tmp_path)


def test_a_configuration_survives_json() -> None:
    one = config("guided", dropout=0.25)
    assert CNNConfig.from_json(one.to_json()) == one
