import pytest
import torch

from regard.masks import Causal, Prefix

ZERO = torch.tensor(0)


def test_a_prefix_of_nothing_leaves_causal_alone() -> None:
    position = torch.arange(5)
    at = (ZERO, ZERO, position[:, None], position)
    assert torch.equal((Causal() | Prefix(0))(*at), Causal()(*at))
    assert (Causal() | Prefix(5))(*at).all()


def test_one_length_for_all_equals_the_same_length_for_each() -> None:
    at = (torch.arange(3)[:, None], ZERO, ZERO, torch.arange(6))
    each = Prefix(torch.tensor([4, 4, 4]))(*at)
    assert torch.equal(each, Prefix(4)(*at).expand(3, 6))


def test_negative_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="length >= 0, got -1; "):
        Prefix(-1)


@pytest.mark.parametrize("length", [torch.tensor([1.0]), torch.tensor(3), torch.tensor([True])])
def test_tensors_that_are_not_lengths_are_refused(length: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"integer tensor \[batch\], got .*; "):
        Prefix(length)
