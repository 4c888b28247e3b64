import pytest
import torch

from regard.masks import Causal

ZERO = torch.tensor(0)


@pytest.mark.parametrize("length", [0, 1, 2, 9])
def test_causal_is_the_lower_triangle(length: int) -> None:
    position = torch.arange(length)
    dense = Causal()(ZERO, ZERO, position[:, None], position)
    assert torch.equal(dense, torch.ones(length, length, dtype=torch.bool).tril())


def test_the_last_query_meets_the_last_key() -> None:
    q_len, k_len = 2, 5
    q = torch.arange(q_len)[:, None] + k_len - q_len
    dense = Causal()(ZERO, ZERO, q, torch.arange(k_len))
    assert dense.tolist() == [[True] * 4 + [False], [True] * 5]


def test_queries_before_the_first_key_see_nothing() -> None:
    q = torch.arange(5)[:, None] - 3
    dense = Causal()(ZERO, ZERO, q, torch.arange(2))
    assert dense.any(-1).tolist() == [False, False, False, True, True]
