"""What Transformers share is stored once, and shared again."""

from pathlib import Path

import pytest

from regard.models.checkpoint import load_network, save
from regard.models.weights import weight_shapes
from tests.models.transformer.small import small_model


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    model = small_model(tied="all", source_vocab=11).float()
    save(model, tmp_path)
    names = weight_shapes((tmp_path / "model.safetensors").read_bytes()).keys()
    assert "source.tokens.weight" in names
    assert not {"target.tokens.weight", "output.weight"} & names
    again = load_network(tmp_path)
    assert again.output.weight is again.target.tokens.weight is again.source.tokens.weight
    assert len(list(again.parameters())) == len(list(model.parameters()))


@pytest.mark.parametrize("sharing", ["all", "universal"])
def test_a_shared_block_is_stored_once_and_stays_shared(sharing: str, tmp_path: Path) -> None:
    model = small_model(sharing=sharing).float()
    save(model, tmp_path)
    names = weight_shapes((tmp_path / "model.safetensors").read_bytes()).keys()
    assert not any(name.startswith("encoder.blocks.1") for name in names)
    again = load_network(tmp_path)
    assert len(list(again.parameters())) == len(list(model.parameters())) == len(names)
