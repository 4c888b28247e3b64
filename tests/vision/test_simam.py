"""SimAM gates a value by how far it stands out from its channel."""

import pytest
import torch
from torch import Tensor

from regard.vision import SimAM
from tests.vision.definition import assert_is


def definition(block: SimAM, x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    for image in range(x.shape[0]):
        for channel in range(x.shape[1]):
            values = x[image, channel]
            squares = (values - values.mean()).square()
            variance = squares.sum() / max(values.numel() - 1, 1)
            energy = squares / (4 * (variance + block.ridge)) + 0.5
            y[image, channel] = values * energy.sigmoid()
    return y


@pytest.mark.parametrize("ridge", [1e-4, 0.1])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(ridge: float, places: tuple[int, ...]) -> None:
    assert_is(SimAM(8, ridge), definition, torch.randn(3, 8, *places))


def test_a_single_place_stands_out_from_nothing() -> None:
    x = torch.randn(2, 8, 1, 1)
    assert torch.equal(SimAM(8).weights(x), torch.full_like(x, 0.5).sigmoid())


def test_squares_are_taken_in_32_bits() -> None:
    x = 300 * torch.randn(2, 8, 7, 5)
    found = SimAM(8).weights(x.half())
    torch.testing.assert_close(found, SimAM(8).weights(x.half().float()).half(), rtol=0, atol=0)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("ridge", [0, -1.0, float("nan"), True, "much"])
def test_a_ridge_is_above_zero(ridge: object) -> None:
    with pytest.raises(ValueError, match="^SimAM needs a ridge above 0"):
        SimAM(8, ridge)
