"""A saved ABCNN is the ABCNN; anything else is refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch

from regard.config import from_json, to_json
from regard.errors import CheckpointMismatch
from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.models.checkpoint import load, save
from tests.models.abcnn.small import KINDS, config, ragged_pairs


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(kind: str, tmp_path: Path) -> None:
    model = ABCNN(config(kind, dropout=0.5)).eval()
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_pairs()), again(*ragged_pairs()))
    assert again.config == model.config and not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_weights_of_another_size_are_refused_naming_all_of_them(tmp_path: Path) -> None:
    save(ABCNN(config("both", places="own")), tmp_path)
    longer = config("both", places="own", max_length=9)
    (tmp_path / "config.json").write_text(to_json(longer, format=2))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    places = {f"blocks.{n}.{side}_places" for n in (0, 1) for side in ("left", "right")}
    assert set(caught.value.wrong_shaped) == places


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"attention": "twice"}, "there is no attention 'twice': none, input, pooling, both"),
        ({"width": 0}, "width must be at least 1"),
        ({"variant": "mine"}, "there is no variant 'mine': paper, official"),
        ({"model_type": "bcnn"}, "its model_type is 'bcnn'.*abcnn"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    save(ABCNN(config("none")), tmp_path)
    entries = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_a_configuration_survives_json() -> None:
    one = config("pooling", variant="official")
    assert from_json(to_json(one), ABCNNConfig) == one
