"""Causal masking: no query sees a later key."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from regard._pairwise import Index
from regard.masks._mask import Mask


@dataclass(frozen=True)
class Causal(Mask):
    """A query sees its own position and everything before it: k ≤ q.

    Positions are absolute, so with fewer queries than keys the last query is aligned with the last
    key (cached decoding); the paper has only the square case.

    >>> import torch
    >>> from regard.masks import Causal
    >>> b, h, position = torch.tensor(0), torch.tensor(0), torch.arange(3)
    >>> Causal()(b, h, position[:, None], position).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit keys that do not come after the query."""
        return q >= k
