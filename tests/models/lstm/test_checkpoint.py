"""A saved classifier is the classifier; anything else is refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.lstm import LSTM, LSTMConfig, load, save
from regard.scores import Additive
from tests.models.lstm.small import SIZES, SUMMARIES, ragged_batch


@pytest.mark.parametrize("summary", SUMMARIES)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    summary: str, cell: str, tmp_path: Path
) -> None:
    model = LSTM(LSTMConfig(**SIZES, summary=summary, cell=cell)).eval()
    if model.reinforce is not None:
        model.reinforce.baseline.fill_(0.7)
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config and not again.training
    assert again.reinforce is None or again.reinforce.baseline == model.reinforce.baseline


def test_another_score_is_loaded_when_it_is_given_again(tmp_path: Path) -> None:
    model = LSTM(LSTMConfig(**SIZES), Attend(Additive(6, 6, 3))).eval()
    save(model, tmp_path)
    again = load(tmp_path, Attend(Additive(6, 6, 3)))
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "rnnsearch"}, "lstm"),
        ({"hidden_dim": 0}, "hidden_dim must be between 1 and"),
        ({"secret": 1}, "unknown keys .'secret'."),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    model = LSTM(LSTMConfig(**SIZES))
    save(model, tmp_path)
    entries = json.loads(model.config.to_json()) | changes
    (tmp_path / "config.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    save(LSTM(LSTMConfig(**SIZES)), tmp_path)
    (tmp_path / "config.json").write_text(LSTMConfig(**SIZES | {"align_dim": 7}).to_json())
    with pytest.raises(CheckpointMismatch, match="align|pool"):
        load(tmp_path)
