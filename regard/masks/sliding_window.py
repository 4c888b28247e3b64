"""Sliding-window masking: a query sees its neighbors."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count, Index
from regard.masks._mask import Mask


@dataclass(frozen=True)
class SlidingWindow(Mask):
    """A query sees `left` keys back, itself, and `right` keys ahead: −left ≤ k − q ≤ right.

    The paper's window of size w is `SlidingWindow(w // 2, w // 2)`; a causal window of W keys that
    includes the query itself (Mistral) is `SlidingWindow(W - 1)`.

    Args:
        left: how many positions before the query are seen, not counting its own.
        right: how many positions after it; the default makes the window causal.

    Raises ValueError for a negative reach and TypeError for one that is not an int.

    >>> import torch
    >>> from regard.masks import SlidingWindow
    >>> b, h, position = torch.tensor(0), torch.tensor(0), torch.arange(4)
    >>> SlidingWindow(1)(b, h, position[:, None], position).int()
    tensor([[1, 0, 0, 0],
            [1, 1, 0, 0],
            [0, 1, 1, 0],
            [0, 0, 1, 1]], dtype=torch.int32)

    References:
        Beltagy, Peters & Cohan. Longformer: The Long-Document Transformer. 2020.
        https://arxiv.org/abs/2004.05150
    """

    left: Count
    right: Count = 0

    def __post_init__(self) -> None:
        """Refuse reaches that are not counts."""
        hint = "give the number of positions the query sees on that side, 0 for none"
        for name, reach in (("left", self.left), ("right", self.right)):
            object.__setattr__(self, name, count("SlidingWindow", name, reach, 0, hint))

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit keys within reach."""
        return (q - k <= self.left) & (k - q <= self.right)
