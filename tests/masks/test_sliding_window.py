import pytest
import torch

from regard.masks import Causal, SlidingWindow


def _dense(mask: object, length: int) -> torch.Tensor:
    position, zero = torch.arange(length), torch.tensor(0)
    return mask(zero, zero, position[:, None], position)


@pytest.mark.parametrize("length", [1, 2, 5, 17])
@pytest.mark.parametrize("left", [0, 1, 4, 16, 40])
def test_window_and_causal_equals_banded_lower_triangle(left: int, length: int) -> None:
    ones = torch.ones(length, length, dtype=torch.bool)
    band = ones.tril() & ones.triu(-left)
    assert torch.equal(_dense(Causal() & SlidingWindow(left, 3), length), band)
    assert torch.equal(_dense(SlidingWindow(left), length), band)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_a_query_sees_exactly_left_plus_right_plus_one_keys(left: int, right: int) -> None:
    seen = _dense(SlidingWindow(left, right), 20).sum(-1)
    assert seen[5:15].unique().tolist() == [left + right + 1]


def test_a_window_as_long_as_the_sequence_sees_everything() -> None:
    assert _dense(SlidingWindow(8, 8), 9).all()


@pytest.mark.parametrize("reach", [{"left": -1}, {"left": 2, "right": -3}])
def test_negative_reaches_are_refused(reach: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f">= 0, got {min(reach.values())}; "):
        SlidingWindow(**reach)


@pytest.mark.parametrize("reach", [1.0, True, None, "3"])
def test_reaches_that_are_not_counts_are_refused(reach: object) -> None:
    with pytest.raises(Exception, match="left"):
        SlidingWindow(reach)
