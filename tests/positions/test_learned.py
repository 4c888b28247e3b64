import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

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
    with pytest.raises(ValueError, match="offset >= 0, got -1"):
        learned(2, offset=-1)
    with pytest.raises(ValueError, match="max_length >= 1, got 0"):
        Learned(0, 4)


def test_a_state_dict_round_trip_keeps_the_vectors() -> None:
    learned, other = Learned(10, 4), Learned(10, 4)
    other.load_state_dict(learned.state_dict())
    assert torch.equal(other(10), learned(10)) and list(learned.state_dict()) == ["weight"]


@pytest.mark.usefixtures("as_users_have_it")
def test_numpys_integers_are_numbers_and_booleans_are_not() -> None:
    learned = Learned(np.int64(10), np.int32(4))
    assert learned.weight.shape == (10, 4)
    assert torch.equal(learned(np.int64(2), offset=np.uint8(3)), learned(2, offset=3))
    with pytest.raises(TypeError, match="Learned needs max_length to be an int"):
        Learned(True, 4)
    with pytest.raises(TypeError, match="Learned needs length to be an int"):
        learned(2.0)


def test_positions_are_looked_at_only_where_that_is_possible() -> None:
    learned, positions = Learned(10, 4), torch.tensor([[0, 3], [9, 1]])
    wanted = learned.at(positions)
    assert torch.equal(torch.func.vmap(learned.at)(positions), wanted)
    assert learned.to("meta").at(positions.to("meta")).shape == (2, 2, 4)
    with FakeTensorMode():
        assert Learned(10, 4).at(torch.empty(2, 2, dtype=torch.int64)).shape == (2, 2, 4)
