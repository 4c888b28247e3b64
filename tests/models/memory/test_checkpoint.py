"""A saved memory network is the network, its state of learning included."""

from pathlib import Path

import torch

from regard.models.checkpoint import load_network, save
from regard.models.memory import MemoryNetwork
from tests.models.memory.small import config, ragged_batch


def test_a_linear_start_is_remembered(tmp_path: Path) -> None:
    model = MemoryNetwork(config()).eval()
    model.start_linear(70)
    save(model, tmp_path)
    again = load_network(tmp_path)
    assert float(again.linear) == 70
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
