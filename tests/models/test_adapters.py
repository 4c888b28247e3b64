"""Whatever stands in the place of a network's linear layer is called, in training and decoding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.lstm import small as lstm
from tests.models.luong import small as luong
from tests.models.memory import small as memory
from tests.models.rnnsearch import small as rnnsearch


def _translates(small: Any, **form: str) -> tuple[nn.Module, list[Any]]:
    return small.small_model(**form), list(small.ragged_batch())


def _remembers(**changes: str) -> tuple[nn.Module, list[Any]]:
    return memory.small_model(**changes), list(memory.ragged_batch())


NETWORKS: dict[str, Callable[[], tuple[nn.Module, list[Any]]]] = {
    "rnnsearch": lambda: _translates(rnnsearch),
    "luong": lambda: _translates(luong, attention="global(score=luong_concat)"),
    "luong, local": lambda: _translates(luong, attention="local_p(score=dot)"),
    "lstm": lambda: (lstm.small_model(), [lstm.ragged_batch()]),
    "memory": lambda: _remembers(tying="layerwise"),
}


class Doubled(nn.Module):
    """Stands in a layer's place, has no weight of its own name, and doubles what it gives."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.calls = base, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return 2 * self.base(x)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_wrapped_linear_layer_is_called_and_counts(name: str) -> None:
    network, given = NETWORKS[name]()
    linear = [place for place, layer in network.named_modules() if type(layer) is nn.Linear]
    for place in linear:
        network.set_submodule(place, Doubled(network.get_submodule(place)))
    found = network(*given)
    wrapped = [network.get_submodule(place) for place in linear]
    assert linear and all(layer.calls for layer in wrapped)
    for place, layer in zip(linear, wrapped, strict=True):
        with torch.no_grad():
            for weight in layer.base.parameters():
                weight.mul_(2.0)
        network.set_submodule(place, layer.base)
    torch.testing.assert_close(found, network(*given))
