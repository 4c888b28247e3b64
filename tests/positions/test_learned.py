import pytest
import torch

from regard.positions import Learned


def test_vectors_are_rows_of_the_weight_and_learn() -> None:
    learned = Learned(max_length=10, embed_dim=4)
    assert torch.equal(learned(7), learned.weight[:7])
    assert torch.equal(learned(3, offset=7), learned.weight[7:])
    learned(3, offset=2).sum().backward()
    expected = torch.zeros(10, 4)
    expected[2:5] = 1.0
    assert torch.equal(learned.weight.grad, expected)


def test_positions_can_be_counted_without_padding() -> None:
    learned = Learned(10, 4)
    positions = torch.tensor([[0, 0, 1], [0, 1, 2]])
    assert torch.equal(learned.at(positions), learned.weight[positions])
    assert learned.at(torch.zeros(0, 3, dtype=torch.long)).shape == (0, 3, 4)
    assert learned.at(torch.zeros(3, 0, dtype=torch.long)).shape == (3, 0, 4)


def test_no_positions_give_nothing() -> None:
    assert Learned(10, 4)(0).shape == (0, 4)


def test_too_long_is_refused_with_both_numbers() -> None:
    learned = Learned(10, 4)
    learned(10)
    with pytest.raises(ValueError, match="11 positions are needed, but max_length is 10"):
        learned(11)
    with pytest.raises(ValueError, match="12 positions are needed, but max_length is 10"):
        learned(2, offset=10)
    with pytest.raises(ValueError, match="11 positions are needed, but max_length is 10"):
        learned.at(torch.tensor([0, 10]))


def test_negative_numbers_are_refused() -> None:
    learned = Learned(10, 4)
    with pytest.raises(ValueError, match="got -1"):
        learned.at(torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="must not be negative, got 2 and -1"):
        learned(2, offset=-1)
    with pytest.raises(ValueError, match="must be positive, got 0 and 4"):
        Learned(0, 4)


def test_a_state_dict_round_trip_keeps_the_vectors() -> None:
    learned, other = Learned(10, 4), Learned(10, 4)
    other.load_state_dict(learned.state_dict())
    assert torch.equal(other(10), learned(10)) and list(learned.state_dict()) == ["weight"]
