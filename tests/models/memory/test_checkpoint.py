"""A saved memory network is the network, its state of learning included."""

from pathlib import Path
from typing import Any

import pytest
import torch

from regard.config import to_json
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.models.memory import MemoryNetwork
from regard.normalizers import Entmax
from regard.scores import Bilinear
from tests.models.memory.small import config, ragged_batch


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tying": "layerwise", "encoding": "official_position(max_words=7)"},
        {"attention": "hard(estimator=gumbel, temperature=0.5)"},
        {"attention": "soft(score=general, normalizer=learned_entmax)"},
    ],
    ids=str,
)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    model = MemoryNetwork(config(**changes)).eval()
    save(model, tmp_path)
    again = load(tmp_path)
    batch = ragged_batch()
    assert torch.equal(model(*batch), again(*batch))
    assert again.config == model.config and not again.training
    assert (again.output.weight is again.memories[-1].words) == (not changes.get("tying"))


def test_a_linear_start_is_remembered(tmp_path: Path) -> None:
    model = MemoryNetwork(config()).eval()
    model.start_linear(70)
    save(model, tmp_path)
    again = load(tmp_path)
    assert float(again.linear) == 70
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))


def test_parts_that_were_given_are_saved_by_their_names(tmp_path: Path) -> None:
    model = MemoryNetwork(config(), Attend(Bilinear(6, 6), normalizer=Entmax(1.3))).eval()
    assert model.config.attention.spelled() == "soft(score=general, normalizer=entmax(1.3))"
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    save(MemoryNetwork(config()), tmp_path)
    (tmp_path / "config.json").write_text(to_json(config(hops=2), format=2))
    with pytest.raises(CheckpointMismatch):
        load(tmp_path)
