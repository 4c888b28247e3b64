"""Block masking: the sequence is cut into blocks that do not see each other."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count, Index
from regard.masks._mask import Mask


@dataclass(frozen=True)
class Block(Mask):
    """A query sees the keys of its own block of `size` positions: ⌊q / size⌋ = ⌊k / size⌋.

    The paper is about local attention in blocks next to strided patterns; this is the block part.

    Raises ValueError for a size below 1 and TypeError for one that is not an int.

    >>> import torch
    >>> from regard.masks import Block
    >>> b, h, position = torch.tensor(0), torch.tensor(0), torch.arange(4)
    >>> Block(2)(b, h, position[:, None], position).int()
    tensor([[1, 1, 0, 0],
            [1, 1, 0, 0],
            [0, 0, 1, 1],
            [0, 0, 1, 1]], dtype=torch.int32)

    References:
        Child, Gray, Radford & Sutskever. Generating Long Sequences with Sparse Transformers. 2019.
        https://arxiv.org/abs/1904.10509
    """

    size: Count

    def __post_init__(self) -> None:
        """Refuse sizes that are not counts."""
        size = count("Block", "size", self.size, 1, "give the number of positions in a block")
        object.__setattr__(self, "size", size)

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit keys of the query's block."""
        return q // self.size == k // self.size
