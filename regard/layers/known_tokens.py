"""A clear error for token ids without a row in the embedding."""

import torch
from torch import Tensor

from regard._printable import shown
from regard._torch_private import can_look_at

WHOLE = (torch.int64, torch.int32)
"""Of these an embedding takes rows."""


def require_known(ids: Tensor, vocab: int, name: str = "vocab") -> None:
    """Raise `ValueError` for an id outside an embedding, where checking is free: on the CPU.

    Raises `TypeError` for ids that are no tensor of whole numbers, `ValueError` unless they are
    `[batch, len]`.

    >>> import torch
    >>> require_known(torch.tensor([[3, 9]]), vocab=8)
    Traceback (most recent call last):
        ...
    ValueError: token 9 is not among the 8 that the embedding has (vocab=8, numbered from 0); ...
    """
    if not isinstance(ids, Tensor):
        raise TypeError(f"token ids must be a tensor [batch, len], got {shown(ids)}")
    if ids.dtype not in WHOLE:
        raise TypeError(f"token ids must be whole numbers (torch.long), got {ids.dtype}")
    if ids.ndim != 2:
        raise ValueError(
            f"token ids must be [batch, len], got {[*ids.shape]}; one text is ids[None]"
        )
    if not can_look_at(ids) or not ids.numel():
        return
    low, high = (int(end) for end in ids.aminmax())
    if low < 0 or high >= vocab:
        raise ValueError(
            f"token {low if low < 0 else high} is not among the {vocab:,} that the embedding has "
            f"({name}={vocab}, numbered from 0); the tokenizer is another network's, or grew"
        )
