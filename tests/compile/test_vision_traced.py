"""Vision blocks under `torch.jit.trace`, whose sizes are tensors: no check of shapes reads them."""

import pytest
import torch

from regard.vision import SimAM
from regard.vision._maps import largest

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


def test_the_largest_is_the_same_with_and_without_gradients() -> None:
    x = torch.randn(2, 3, 5, requires_grad=True)
    traced = torch.jit.trace(lambda x: largest(x, 1), x)  # traces twice, and compares
    torch.testing.assert_close(traced(x), largest(x, 1))


def test_the_places_of_each_map_are_counted() -> None:
    block = SimAM(4)
    traced = torch.jit.trace(block, torch.randn(2, 4, 5, 6))
    for places in ((5, 6), (3, 9), (1, 1)):
        x = torch.randn(2, 4, *places)
        torch.testing.assert_close(traced(x), block(x))
