"""Networks of texts read plain ids `[batch, len]` as sequences without padding."""

from typing import Any

import pytest
import torch
from torch import nn

from regard.models import albert, bert, t5, xlnet
from regard.models.transformer import TransformerClassifier, TransformerClassifierConfig
from regard.sequences import Sequences

SIZES = {"vocab": 12, "embed_dim": 8, "num_heads": 2, "layers": 1}
IDS = torch.tensor([[4, 8, 5], [6, 7, 9]])
NETWORKS = [
    made
    for family in (albert, bert, t5, xlnet)
    for name in family.__all__
    if hasattr(made := getattr(family, name), "config_type") and issubclass(made, nn.Module)
]


def test_all_families_are_asked() -> None:
    assert len(NETWORKS) >= 18


@pytest.mark.parametrize("network", NETWORKS)
def test_plain_ids_are_sequences_without_padding(network: Any) -> None:
    classes = {"classes": 3} if "classes" in network.config_type.__dataclass_fields__ else {}
    asked = network(network.config_type(**SIZES, **classes)).eval()
    more = (torch.tensor([[0, 3], [0, 2]]),) if network is t5.T5 else ()
    with torch.no_grad():
        assert torch.equal(asked(IDS, *more), asked(Sequences(IDS), *more))
        assert torch.equal(asked(source=IDS, **_named(more)), asked(IDS, *more))
        assert torch.equal(asked.weights(IDS, *more), asked.weights(Sequences(IDS), *more))


def _named(more: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("target",), more, strict=False))


def test_so_does_a_classifier_of_ones_own() -> None:
    config = TransformerClassifierConfig(
        vocab=12, classes=2, embed_dim=8, num_heads=2, layers=1, ff_dim=8
    )
    network = TransformerClassifier(config).eval()
    assert torch.equal(network(IDS), network(Sequences(IDS)))
