"""A saved Transformer is the Transformer; anything else is refused with a sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.transformer import TransformerConfig, load, save
from regard.models.weights import read_header
from regard.scores import Additive
from tests.models.transformer.small import CLASSIFIER, CONFIG, LM, ragged_batch, small_model


def answer(model: Any) -> torch.Tensor:
    source, lengths, target = ragged_batch()
    name = type(model).__name__
    given = {"Transformer": (source % 11, target, lengths), "TransformerLM": (target,)}
    return model(*given.get(name, (source, lengths)))


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (CONFIG, {}),
        (CONFIG, {"tied": "output"}),
        (CONFIG, {"tied": "all", "source_vocab": 11}),
        (CONFIG, {"positions": "learned", "max_length": 6, "norm": "pre"}),
        (CONFIG, {"sharing": "all"}),
        (CLASSIFIER, {}),
        (CLASSIFIER, {"sharing": "adaptive"}),
        (LM, {"tied": "output", "positions": "rope"}),
    ],
)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    config: Any, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = small_model(config=config, **changes).float()
    save(model, tmp_path)
    again = load(tmp_path)
    assert type(again) is type(model)
    assert again.config == model.config
    assert not again.training
    assert torch.equal(answer(model), answer(again))


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    model = small_model(tied="all", source_vocab=11).float()
    save(model, tmp_path)
    names = read_header((tmp_path / "model.safetensors").read_bytes()).keys()
    assert "source.tokens.weight" in names
    assert not {"target.tokens.weight", "output.weight"} & names
    again = load(tmp_path)
    assert again.output.weight is again.target.tokens.weight is again.source.tokens.weight
    assert len(list(again.parameters())) == len(list(model.parameters()))


@pytest.mark.parametrize("sharing", ["all", "universal"])
def test_a_shared_block_is_stored_once_and_stays_shared(sharing: str, tmp_path: Path) -> None:
    model = small_model(sharing=sharing).float()
    save(model, tmp_path)
    names = read_header((tmp_path / "model.safetensors").read_bytes()).keys()
    assert not any(name.startswith("encoder.blocks.1") for name in names)
    again = load(tmp_path)
    assert len(list(again.parameters())) == len(list(model.parameters())) == len(names)


def test_the_parts_are_given_again(tmp_path: Path) -> None:
    attend = Attend(score=Additive(4, 4, 5))
    model = small_model(attend).float()
    save(model, tmp_path)
    assert torch.equal(answer(load(tmp_path, attend)), answer(model))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert all("score" in name for name in caught.value.unexpected)
    assert not caught.value.missing


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "transformer"),
        ("{", "Expecting"),
        (CONFIG.to_json().replace('"transformer"', '"rnnsearch"'), "transformer"),
        (CONFIG.to_json().replace('"ff_dim": 12', '"ff_dim": 0'), "ff_dim must be between"),
        (CONFIG.to_json().replace('"ff_dim": 12', '"ff_dim": "x"'), "ff_dim"),
        (CONFIG.to_json().replace('"ff_dim"', '"f"'), "lacks ..ff_dim.. and has unknown keys ..f"),
    ],
)
def test_a_foreign_configuration_is_refused(text: str, why: str, tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_a_huge_configuration_costs_no_memory(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    huge = TransformerConfig(
        source_vocab=10**6,
        target_vocab=10**6,
        embed_dim=65_536,
        num_heads=8,
        ff_dim=65_536,
        encoder_layers=2,
        decoder_layers=3,
    )
    (tmp_path / "config.json").write_text(huge.to_json())
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load(tmp_path)
