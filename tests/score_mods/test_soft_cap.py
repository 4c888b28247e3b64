import numpy as np
import pytest
import torch
from torch import nn

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
    torch.testing.assert_close(capped, -capped.flip(0), rtol=1e-14, atol=0)


@pytest.mark.parametrize("cap", [0.0, -1.0, float("inf"), float("nan")])
def test_a_cap_caps(cap: float) -> None:
    with pytest.raises(ValueError, match="0 < cap < inf, got"):
        SoftCap(cap)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)], ids=str)
def test_a_learned_cap_caps_and_has_its_gradient(shape: tuple[int, ...]) -> None:
    cap = nn.Parameter(torch.full(shape, 20.0, dtype=torch.float64))
    scores = torch.linspace(-60, 60, 31, dtype=torch.float64).view(1, 1, 1, -1)
    found = SoftCap(cap)(scores, *AT)
    assert found.shape == scores.shape
    torch.testing.assert_close(found, SoftCap(20.0)(scores, *AT))
    (gradient,) = torch.autograd.grad(found.square().sum(), cap)
    t = np.tanh(scores.numpy() / 20)
    wanted = (2 * 20 * t * (t - scores.numpy() / 20 * (1 - t**2))).sum()
    assert gradient.item() == pytest.approx(wanted, rel=1e-12) and gradient.shape == shape
    assert torch.autograd.gradgradcheck(lambda c: SoftCap(c)(scores, *AT), cap)


def test_a_learned_cap_follows_the_dtype_of_the_scores() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        scores = torch.randn(2, 3, 4, 5).to(dtype)
        assert SoftCap(nn.Parameter(torch.tensor([3.0])))(scores, *AT).dtype == dtype


def test_numbers_of_every_kind_are_caps_and_others_are_refused(as_users_have_it: None) -> None:
    assert SoftCap(np.float32(30)) == SoftCap(30) == SoftCap(np.int64(30)) == SoftCap(30.0)
    assert repr(SoftCap(np.float64(30))) == repr(SoftCap(np.float32(30))) == "SoftCap(cap=30.0)"
    assert repr(SoftCap(nn.Parameter(torch.tensor(3.0)))) == "SoftCap(cap=float32[])"
    for wrong, kind in (
        ("30", TypeError), (True, TypeError), (None, TypeError), (np.bool_(True), TypeError),
        (torch.ones(2), ValueError), (torch.tensor(30), ValueError),
    ):  # fmt: skip
        with pytest.raises(kind, match="SoftCap needs cap to be .*number, got .*; "):
            SoftCap(wrong)
