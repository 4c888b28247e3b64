"""The sizes of blocks of queries and keys whose vectors and scores a multiprocessor holds."""

from torch import Tensor

WIDEST = 256
"""Numbers of a vector that a block still holds."""


def blocks(query: Tensor, value_dim: int) -> tuple[int, int]:
    """How many queries and keys; the same forward and backward.

    >>> import torch
    >>> blocks(torch.empty(1, 1, 9, 64, dtype=torch.bfloat16), 64)
    (64, 64)
    """
    is_small = query.element_size() == 2 and max(query.shape[-1], value_dim) <= 128
    return (64, 64) if is_small else (32, 32)
