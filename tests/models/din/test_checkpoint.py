"""A saved Deep Interest Network is the network; anything else is refused with a sentence."""

from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.models.din import load, save
from tests.models.din.small import ragged_batch, small_model


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    tmp_path: Path, variant: str
) -> None:
    model = small_model(variant=variant).float()
    save(model, tmp_path)
    again = load(tmp_path, model.embedding.features)
    assert again.config == model.config and not again.training
    assert torch.equal(again(*ragged_batch()), model(*ragged_batch()))
    assert torch.equal(again.look(*ragged_batch()), model.look(*ragged_batch()))


def test_the_features_have_to_be_given_again(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert "embedding.feature.weight" in caught.value.unexpected


def test_a_foreign_configuration_is_refused_by_name(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match='config.json: .*"din"'):
        load(tmp_path)
