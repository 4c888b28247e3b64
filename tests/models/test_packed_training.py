"""A network learns from packed sequences what it learns from the same ones padded."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.layers import Attend
from regard.models.bert import Bert, BertConfig
from regard.sequences import Packed, Sequences
from tests.probe import assert_same

TEXTS = [[4, 8, 5, 9], [6, 2, 7], [7], [3, 3, 2, 9], [5, 5, 6, 1]]
CONFIG = BertConfig(vocab=10, embed_dim=16, num_heads=4, ff_dim=32, layers=2, dropout=0.0)


def gradients(backend: str, source: Sequences | Packed) -> dict[str, Tensor]:
    """Of a loss that every token and every text has a part in."""
    torch.manual_seed(0)
    model = Bert(CONFIG, attend=lambda: Attend(backend=backend)).double()
    x = model(source)
    upstream = torch.linspace(-1, 1, 16, dtype=torch.float64)
    (source.mean(x.square() * upstream).sum() + model.summary(x, source).square().sum()).backward()
    return {name: _of(weight) for name, weight in model.named_parameters()}


def _of(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [2, 0, 3, 4, 1]], ids=str)
def test_gradients_of_packed_documents_are_those_of_padded_ones(order: list[Any]) -> None:
    padded = Sequences.of([TEXTS[n] for n in order])
    wanted = gradients("reference", padded)
    assert_same(gradients("packed", Packed.of(padded)), wanted)


def test_dropout_on_weights_stays_within_documents() -> None:
    model = Bert(CONFIG, attend=lambda: Attend(dropout=0.5, backend="packed")).train()
    source = Packed.of(Sequences.of([[4, 8, 5], [6, 2, 7, 1]]))
    other = Packed.of(Sequences.of([[4, 8, 5], [9, 9, 9, 9]]))
    torch.manual_seed(0)
    first = model(source)[0, :3]
    torch.manual_seed(0)
    assert torch.equal(model(other)[0, :3], first)
