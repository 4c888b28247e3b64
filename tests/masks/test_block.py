import pytest
import torch

from regard.masks import Block

ZERO = torch.tensor(0)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_blocks_make_squares_and_a_rest(size: int) -> None:
    position = torch.arange(7)
    squares = [torch.ones(min(size, 7 - i), min(size, 7 - i)) for i in range(0, 7, size)]
    dense = Block(size)(ZERO, ZERO, position[:, None], position)
    assert torch.equal(dense, torch.block_diag(*squares).bool())


def test_queries_before_the_first_key_have_blocks_of_their_own() -> None:
    dense = Block(3)(ZERO, ZERO, torch.tensor([[-1], [-3], [0]]), torch.arange(3))
    assert dense.tolist() == [[False] * 3, [False] * 3, [True] * 3]


def test_a_block_holds_a_position() -> None:
    with pytest.raises(ValueError, match="size >= 1, got 0; "):
        Block(0)
