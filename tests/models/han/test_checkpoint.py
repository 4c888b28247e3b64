"""A saved network is the network; anything else is refused with a sentence."""

from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.han import HANConfig, load, save
from regard.scores import Additive
from tests.models.han.small import SIZES, batch, small_model


@pytest.mark.parametrize("kinds", [{}, {"words": "mean"}, {"words": "mean", "sentences": "mean"}])
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    kinds: dict[str, str], tmp_path: Path
) -> None:
    model, (source, lengths) = small_model(**kinds).float(), batch()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(source, lengths), again(source, lengths))
    assert again.config == model.config
    assert not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_the_parts_are_given_again(tmp_path: Path) -> None:
    attend = Attend(score=Additive(5, 5, 4))
    model, (source, lengths) = small_model(attend).float(), batch()
    save(model, tmp_path)
    assert torch.equal(load(tmp_path, attend)(source, lengths), model(source, lengths))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"han"', '"lstm"', 'not the configuration of a "han" model'),
        ('"align_dim": 5', '"align_dim": 0', "align_dim must be between 1 and"),
        ('"attention"', '"max"', "words"),
        ('"dropout": 0.0', '"dropout": 1.0', "dropout must be at least 0"),
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
    (tmp_path / "config.json").write_text(HANConfig(**SIZES | {"classes": 4}).to_json())
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert set(caught.value.wrong_shaped) == {"output.weight", "output.bias"}
