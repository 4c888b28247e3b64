"""How many heads, how wide: what fits is a value, and what does not is named."""

import numpy as np
import pytest

from regard.layers import Heads, SelfAttention


@pytest.mark.parametrize(
    ("heads", "sizes"),
    [
        (Heads(4), (4, 4, 3)),
        (Heads(4, kv_heads=2), (4, 2, 3)),
        (Heads(5, head_dim=7), (5, 5, 7)),
        (Heads(6, 1, 4), (6, 1, 4)),
        (Heads(np.int64(4), np.uint8(2)), (4, 2, 3)),
    ],
)
def test_what_is_left_out_follows_from_the_rest(heads: Heads, sizes: tuple[int, ...]) -> None:
    assert heads.sizes(12) == sizes
    assert all(type(size) is int for size in heads.sizes(12))


def test_heads_are_values() -> None:
    assert Heads(4, 2) == Heads(4, kv_heads=2) != Heads(4)
    assert len({Heads(4), Heads(4, None), Heads(4, 4)}) == 2
    assert repr(Heads(4, 2)) == "Heads(num_heads=4, kv_heads=2, head_dim=None)"


def test_a_number_is_so_many_heads() -> None:
    one, other = SelfAttention(12, 4), SelfAttention(12, Heads(4))
    other.load_state_dict(one.state_dict())
    assert one.heads.projection == other.heads.projection


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ({"num_heads": 4, "kv_heads": 3}, "num_heads 4 is no multiple of kv_heads 3: each"),
        ({"num_heads": 2, "kv_heads": 4}, "num_heads 2 is no multiple of kv_heads 4: each"),
        ({"num_heads": 0}, "Heads needs num_heads >= 1, got 0; one is enough"),
        ({"num_heads": 3, "kv_heads": 0}, "Heads needs kv_heads >= 1, got 0; leave it out"),
        ({"num_heads": 3, "head_dim": -1}, "Heads needs head_dim >= 1, got -1; leave it out"),
    ],
)
def test_numbers_that_do_not_fit_are_named(numbers: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Heads(**numbers)


def test_a_width_that_cannot_be_shared_out_is_named() -> None:
    with pytest.raises(ValueError, match="embed_dim 10 is not divisible by num_heads 3: .*Heads.3"):
        Heads(3).sizes(10)
