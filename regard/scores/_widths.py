"""Sentences for scores that cannot take the widths they are given."""

from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count


def width(score: str, argument: str, value: Count) -> int:
    """The width or length that an argument names; it raises for anything but a count above 0."""
    return count(score, argument, value, 1, "give the number of elements")


def require_equal_widths(score: str, query: Tensor, key: Tensor) -> None:
    """Raise unless query and key have one width, as every dot product and distance needs."""
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"{score} needs queries and keys of one width, but query has head_dim "
            f"{query.shape[-1]} and key has {key.shape[-1]}: project one of them, or use "
            f"Bilinear({query.shape[-1]}, {key.shape[-1]})."
        )


def require_width(score: str, argument: str, tensor: Tensor, width: int) -> None:
    """Raise unless `tensor`, named `argument`, has the width the score's weights were made for."""
    if tensor.shape[-1] != width:
        raise ValueError(
            f"{score} was built for a {argument} of width {width}, but {argument} has head_dim "
            f"{tensor.shape[-1]}: build it with {argument}_dim={tensor.shape[-1]}."
        )


def require_at_most(score: str, key: Tensor, num_keys: int) -> None:
    """Raise when there are more keys than a position-wise score has rows for."""
    if key.shape[-2] > num_keys:
        raise ValueError(
            f"{score} has weights for {num_keys} keys, but key has {key.shape[-2]}: "
            f"build it with num_keys={key.shape[-2]} or shorten the key."
        )
