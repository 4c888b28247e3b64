import pytest
import torch

from regard.score_mods import ALiBi


def _slopes(num_heads: int) -> torch.Tensor:
    score = torch.zeros(num_heads, dtype=torch.float64)
    one, zero = torch.tensor(1), torch.tensor(0)
    return -ALiBi(num_heads)(score, zero, torch.arange(num_heads), one, zero)


def test_slopes_of_eight_heads_halve_from_one_half() -> None:
    assert _slopes(8).tolist() == [2.0**-h for h in range(1, 9)]


def test_slopes_of_twelve_heads_interleave_those_of_sixteen() -> None:
    expected = [2.0**-h for h in range(1, 9)] + [2.0 ** (-h / 2) for h in (1, 3, 5, 7)]
    assert _slopes(12).tolist() == pytest.approx(expected, rel=1e-15)


def test_slopes_are_distinct_and_within_one() -> None:
    for num_heads in range(1, 70):
        slopes = _slopes(num_heads)
        assert len(slopes.unique()) == num_heads
        assert (slopes > 0).all() and (slopes < 1).all()


def test_the_penalty_is_the_same_on_both_sides_and_nothing_at_home() -> None:
    zero, distance = torch.tensor(0), torch.arange(-4, 5)
    penalty = ALiBi(2)(torch.zeros(9), zero, zero, zero, distance)
    assert torch.equal(penalty, penalty.flip(0)) and penalty[4] == 0
    assert (penalty.diff()[4:] == penalty[5]).all()


def test_a_model_has_heads() -> None:
    with pytest.raises(ValueError, match="num_heads >= 1, got 0; "):
        ALiBi(0)
