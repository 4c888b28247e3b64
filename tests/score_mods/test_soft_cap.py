import pytest
import torch

from regard.score_mods import SoftCap

ZERO = torch.tensor(0)
AT = (ZERO, ZERO, ZERO, ZERO)


def test_small_scores_hardly_change_and_large_ones_stay_below_the_cap() -> None:
    scores = torch.tensor([0.0, 0.1, -0.1, 1e30, -torch.inf], dtype=torch.float64)
    capped = SoftCap(30.0)(scores, *AT)
    torch.testing.assert_close(capped[:3], scores[:3], rtol=1e-5, atol=0)
    assert capped.abs().max() <= 30 and capped[3:].tolist() == [30.0, -30.0]


def test_order_is_kept_and_sign_is_odd() -> None:
    scores = torch.linspace(-100, 100, 201, dtype=torch.float64)
    capped = SoftCap(20.0)(scores, *AT)
    assert (capped.diff() > 0).all()
    assert torch.equal(capped, -capped.flip(0))


@pytest.mark.parametrize("cap", [0.0, -1.0, float("inf"), float("nan")])
def test_a_cap_caps(cap: float) -> None:
    with pytest.raises(ValueError, match="0 < cap < inf, got"):
        SoftCap(cap)
