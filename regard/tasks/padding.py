"""Texts of different lengths as one tensor."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.data.encoding.ragged import Ragged


def padded(
    texts: Ragged, pad: int
) -> tuple[Int[Tensor, "batch longest"], Int[Tensor, " batch"] | None]:
    """Token numbers with `pad` behind the shorter texts, and the lengths (see `lengths_of`).

    >>> padded(Ragged.of([[7, 8], [9]]), pad=0)
    (tensor([[7, 8],
            [9, 0]]), tensor([2, 1]))
    """
    tokens = torch.from_numpy(texts.padded(pad).astype(np.int64))
    return tokens, lengths_of(texts.lengths)


def lengths_of(lengths: np.ndarray) -> Int[Tensor, " batch"] | None:
    """Lengths as a tensor, or None where all are the same, so that nothing has to be masked."""
    if len(lengths) == 0 or bool((lengths == lengths[0]).all()):
        return None
    return torch.from_numpy(lengths.astype(np.int64))
