"""What was captured is drawn, and explained, as it is."""

from pathlib import Path

import pytest
import torch
from torch import nn

import regard
from regard import explain
from regard.errors import UsageError


def test_maps_become_a_page_and_numbers(tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    with torch.no_grad(), regard.capture(encoder) as maps:
        encoder(torch.randn(1, 4, 8))
    page = maps.view(list("film")).save(tmp_path / "a.html")
    text = Path(page).read_text()
    assert "layers.1.self_attn" in text and "recomputed from" in text
    found = explain.rollout(maps)
    torch.testing.assert_close(found.values.sum(-1), torch.ones(1, 4))
    with pytest.raises(ValueError, match="4"):
        maps.view(["one", "two"]).save(tmp_path / "b.html")


def test_nothing_captured_is_nothing_to_view() -> None:
    with regard.capture() as maps:
        nn.Linear(2, 2)(torch.ones(2))
    with pytest.raises(UsageError, match="no attention was seen"):
        maps.view(["one"])
