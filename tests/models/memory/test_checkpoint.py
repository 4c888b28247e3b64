"""A saved memory network is the network, its state of learning included."""

from pathlib import Path
from typing import Any

import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.models.memory import MemoryConfig, MemoryNetwork, load, save
from regard.scores import Bilinear
from tests.models.memory.small import CONFIG, ragged_batch


@pytest.mark.parametrize(
    "changes", [{}, {"tying": "layerwise"}, {"attention": "hard", "estimator": "gumbel"}], ids=str
)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    model = MemoryNetwork(MemoryConfig(**CONFIG | changes)).eval()
    save(model, tmp_path)
    again = load(tmp_path)
    batch = ragged_batch()
    assert torch.equal(model(*batch), again(*batch))
    assert again.config == model.config and not again.training
    assert (again.output.weight is again.memories[-1].words) == (not changes.get("tying"))


def test_a_linear_start_is_remembered(tmp_path: Path) -> None:
    model = MemoryNetwork(MemoryConfig(**CONFIG)).eval()
    model.start_linear(70)
    save(model, tmp_path)
    again = load(tmp_path)
    assert float(again.linear) == 70
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))


def test_another_score_is_loaded_when_it_is_given_again(tmp_path: Path) -> None:
    model = MemoryNetwork(MemoryConfig(**CONFIG), score=Bilinear(6, 6)).eval()
    save(model, tmp_path)
    again = load(tmp_path, score=Bilinear(6, 6))
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


def test_a_foreign_configuration_is_refused_by_name(tmp_path: Path) -> None:
    save(MemoryNetwork(MemoryConfig(**CONFIG)), tmp_path)
    text = (tmp_path / "config.json").read_text()
    for new, why in (('"hops": 0', "hops must be between 1 and 100"), ('"hops": 1.5', "hops")):
        (tmp_path / "config.json").write_text(text.replace('"hops": 3', new))
        with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
            load(tmp_path)
    (tmp_path / "config.json").write_text(text.replace('"hops": 3', '"hops": 2'))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)


def test_the_official_weights_need_their_number_of_words() -> None:
    with pytest.raises(ValueError, match="need max_words"):
        MemoryConfig(**CONFIG, variant="official")
