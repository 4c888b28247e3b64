"""A saved classifier is the classifier; anything else is refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch

from regard.config import to_json
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.models.lstm import LSTMClassifier
from regard.normalizers import Entmax
from regard.scores import Additive, Dot
from tests.models.lstm.small import POOLINGS, config, ragged_batch


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    pooling: str, cell: str, tmp_path: Path
) -> None:
    model = LSTMClassifier(config(pooling=pooling, cell=cell)).eval()
    if model.reinforce is not None:
        model.reinforce.baseline.fill_(0.7)
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(ragged_batch()), again(ragged_batch()))
    assert again.config == model.config and not again.training
    assert again.reinforce is None or again.reinforce.baseline == model.reinforce.baseline


def test_parts_that_were_given_are_saved_by_their_names(tmp_path: Path) -> None:
    model = LSTMClassifier(config(), Attend(Additive(6, 6, 3), normalizer=Entmax(1.3))).eval()
    assert model.config.pooling.score == "additive(hidden_dim=3)"
    assert model.config.pooling.normalizer == "entmax(1.3)"
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(ragged_batch()), again(ragged_batch()))
    assert again.config == model.config


def test_a_score_of_ones_own_has_to_be_given_again(tmp_path: Path) -> None:
    def halved(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return Dot()(query, key) / 2

    model = LSTMClassifier(config(), Attend(halved)).eval()
    save(model, tmp_path)
    with pytest.raises(ValueError, match=r"its score is yours \(halved\).*load\(path, attend="):
        load(tmp_path)
    again = load(tmp_path, Attend(halved))
    assert torch.equal(model(ragged_batch()), again(ragged_batch()))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "rnnsearsh"}, "'rnnsearsh'.*did you mean rnnsearch"),
        ({"hidden_dim": 0}, "hidden_dim must be at least 1"),
        ({"embedding_dim": 1}, "there is no embedding_dim in lstm; did you mean embed_dim"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    model = LSTMClassifier(config())
    save(model, tmp_path)
    entries = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    save(LSTMClassifier(config()), tmp_path)
    other = to_json(config(pooling="attention(attention_dim=7)"), format=2)
    (tmp_path / "config.json").write_text(other)
    with pytest.raises(CheckpointMismatch, match="pool"):
        load(tmp_path)
