import math

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from regard.positions import sinusoidal


@pytest.mark.parametrize("dim", [1, 2, 5, 6, 64])
def test_even_columns_are_sines_and_odd_ones_cosines(dim: int) -> None:
    encoding = sinusoidal(50, dim)
    for p in (0, 1, 49):
        for i in range(dim):
            phase = p / 10000 ** (2 * (i // 2) / dim)
            expected = math.cos(phase) if i % 2 else math.sin(phase)
            assert abs(encoding[p, i].item() - expected) < 1e-7


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 6, 64])
def test_the_official_layout_is_all_sines_then_all_cosines(dim: int) -> None:
    encoding = sinusoidal(50, dim, variant="official")
    half = dim // 2
    assert encoding.shape == (50, dim)
    for p in (0, 1, 49):
        for i in range(half):
            phase = p * math.exp(-i * math.log(10000) / max(half - 1, 1))
            assert abs(encoding[p, i].item() - math.sin(phase)) < 1e-7
            assert abs(encoding[p, half + i].item() - math.cos(phase)) < 1e-7
    assert (encoding[:, 2 * half :] == 0).all()


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_an_offset_is_a_later_part_of_the_same_table(variant) -> None:
    whole = sinusoidal(20, 8, variant=variant)
    part = sinusoidal(5, 8, variant=variant, offset=12)
    torch.testing.assert_close(part, whole[12:17])


def test_a_step_is_a_rotation_that_is_the_same_everywhere() -> None:
    waves = sinusoidal(100, 8).double().reshape(100, 4, 2)
    turns = waves[:-1, :, 0] * waves[1:, :, 0] + waves[:-1, :, 1] * waves[1:, :, 1]
    torch.testing.assert_close(turns, turns[:1].expand(99, 4), rtol=0, atol=1e-6)


def test_far_positions_are_exact() -> None:
    encoding = sinusoidal(1, 4, offset=10**6)
    assert abs(encoding[0, 0].item() - math.sin(10**6)) < 1e-6
    assert encoding.dtype == torch.float32


def test_nothing_gives_nothing() -> None:
    assert sinusoidal(0, 4).shape == (0, 4)
    assert sinusoidal(3, 0).shape == (3, 0)
    assert sinusoidal(3, 0, variant="official").shape == (3, 0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="length >= 0, got -1"):
        sinusoidal(-1, 4)
    with pytest.raises(Exception, match="variant"):
        sinusoidal(1, 4, variant="other")


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_it_is_made_where_it_is_asked_for(variant: str) -> None:
    wanted = sinusoidal(5, 4, variant=variant)
    with torch.device("meta"):
        shape = sinusoidal(5, 4, variant=variant)
        found = sinusoidal(5, 4, variant=variant, device="cpu")
    assert shape.is_meta and shape.shape == (5, 4) and shape.dtype == torch.float32
    assert torch.equal(found, wanted)
    torch.set_default_device("meta")
    try:
        assert sinusoidal(5, 4, variant=variant).is_meta
        assert torch.equal(sinusoidal(5, 4, variant=variant, device="cpu"), wanted)
    finally:
        torch.set_default_device(None)
    assert sinusoidal(5, 4, variant=variant, device="meta").is_meta
    with FakeTensorMode():
        assert sinusoidal(5, 4, variant=variant).shape == (5, 4)


@pytest.mark.usefixtures("as_users_have_it")
def test_numpys_integers_are_numbers_and_booleans_are_not() -> None:
    found = sinusoidal(np.int64(5), np.int32(4), offset=np.uint8(3))
    assert torch.equal(found, sinusoidal(5, 4, offset=3))
    for wrong in ({"length": True}, {"dim": 4.0}, {"offset": "3"}):
        with pytest.raises(TypeError, match="to be an int"):
            sinusoidal(**{"length": 5, "dim": 4, **wrong})
