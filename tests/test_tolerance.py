"""The rule that judges everything else must itself be able to fail."""

import pytest
import torch

from tests.tolerance import UNIT_NORMAL_CAP, assert_close_to_golden


def _case(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    golden = torch.randn(3, 4, 5, dtype=torch.float64)
    return golden, golden.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_rounded_golden_is_close(dtype: torch.dtype) -> None:
    golden, naive = _case(dtype)
    assert_close_to_golden(naive, golden, naive, what="output")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_one_wrong_entry_is_not_and_is_named(dtype: torch.dtype) -> None:
    golden, naive = _case(dtype)
    actual = naive.clone()
    actual[2, 1, 3] += max(50 * torch.finfo(dtype).eps, 1e-11)
    with pytest.raises(AssertionError, match=r"output: error .* at \[2, 1, 3\]"):
        assert_close_to_golden(actual, golden, naive, what="output")


def test_many_small_errors_fail_by_their_mean() -> None:
    golden, _ = _case(torch.float32)
    naive = (golden + 1e-6 * (torch.rand_like(golden) < 0.05)).float()
    with pytest.raises(AssertionError, match="mean error"):
        assert_close_to_golden((golden + 1e-6).float(), golden, naive, what="output")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_nan_and_infinity_fail_on_every_side(bad: float, side: int) -> None:
    golden, naive = _case(torch.float32)
    sides = [naive.clone(), golden.clone(), naive.clone()]
    sides[side][0, 0, 0] = bad
    with pytest.raises(AssertionError, match="NaN or inf"):
        assert_close_to_golden(*sides, what="output")


def test_a_dead_row_must_be_exactly_zero_in_outputs() -> None:
    golden, naive = _case(torch.float32)
    golden[1, 2] = naive[1, 2] = 0
    actual = naive.clone()
    actual[1, 2, 0] = 1e-30
    with pytest.raises(AssertionError, match=r"exactly zero.*\[1, 2, 0\]"):
        assert_close_to_golden(actual, golden, naive, what="output")
    assert_close_to_golden(actual, golden, naive, what="gradient", gradient=True)


def test_the_cap_holds_when_naive_is_bad() -> None:
    golden, rounded = _case(torch.float32)
    bad = rounded + 1e-4
    assert_close_to_golden(bad, golden, bad, what="output")
    with pytest.raises(AssertionError, match="exceeds 5e-06"):
        assert_close_to_golden(bad, golden, bad, what="output", cap=UNIT_NORMAL_CAP)


def test_gradients_may_err_more_than_outputs() -> None:
    golden = torch.randn(3, 4, 5, dtype=torch.float64)
    naive, actual = (golden + 1e-3).float(), (golden + 2.5e-3).float()
    assert_close_to_golden(actual, golden, naive, what="gradient", gradient=True)
    with pytest.raises(AssertionError, match="output: error"):
        assert_close_to_golden(actual, golden, naive, what="output")


def test_shapes_and_dtypes_are_part_of_the_answer() -> None:
    golden, naive = _case(torch.float32)
    with pytest.raises(AssertionError, match="shapes differ"):
        assert_close_to_golden(naive[:1], golden, naive, what="output")
    with pytest.raises(AssertionError, match="actual is"):
        assert_close_to_golden(naive.half(), golden, naive, what="output")


def test_empty_tensors_are_close() -> None:
    empty = torch.empty(0, 3)
    assert_close_to_golden(empty, empty.double(), empty, what="output")
