"""A saved network is the network; anything else is refused with a sentence."""

from pathlib import Path

import pytest
import torch

from regard.config import to_json
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.normalizers import sparsemax
from regard.scores import Additive
from tests.models.han.small import POOLINGS, batch, config, small_model


@pytest.mark.parametrize("poolings", POOLINGS)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    poolings: dict[str, str], tmp_path: Path
) -> None:
    model = small_model(**poolings).float()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(batch()), again(batch()))
    assert again.config == model.config
    assert not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_parts_that_were_given_are_saved_by_their_names_for_each_level(tmp_path: Path) -> None:
    made = iter([Attend(Additive(5, 5, 4)), Attend(Additive(5, 5, 5), normalizer=sparsemax)])
    model = small_model(lambda: next(made)).float()
    words, sentences = model.config.word_pooling, model.config.sentence_pooling
    assert (words.score, words.normalizer) == ("additive(hidden_dim=4)", "softmax")
    assert (sentences.score, sentences.normalizer) == ("additive", "sparsemax")
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(again(batch()), model(batch())) and again.config == model.config


def test_a_part_that_both_levels_share_comes_back(tmp_path: Path) -> None:
    model = small_model(Attend(Additive(5, 5, 4))).float()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(again(batch()), model(batch())) and again.config == model.config


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"han"', '"hun"', "its model_type is 'hun'"),
        ('"attention_dim": 5', '"attention_dim": 0', "attention_dim must be at least 1"),
        ('"kind": "attention"', '"kind": "max"', "there is no word_pooling 'max'"),
        ('"word_dropout": 0.0', '"word_dropout": 1.0', "word_dropout must be at least 0 and below"),
    ],
)
def test_a_foreign_configuration_is_refused(old: str, new: str, why: str, tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    text = (tmp_path / "config.json").read_text()
    assert old in text
    (tmp_path / "config.json").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_weights_of_another_size_are_refused_naming_them(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    (tmp_path / "config.json").write_text(to_json(config(classes=4), format=2))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert set(caught.value.wrong_shaped) == {"output.weight", "output.bias"}
