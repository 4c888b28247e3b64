"""Prefix masking: the first keys are visible to all queries."""

from dataclasses import dataclass

from jaxtyping import Bool, Shaped
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count, Index, Valued, check_batch, check_device, describe, is_integer
from regard.masks._mask import Mask


@dataclass(frozen=True, eq=False, repr=False)
class Prefix(Valued, Mask):
    """Every query sees the first `length` keys: k < length; `Causal() | Prefix(n)` is a prefix LM.

    Args:
        length: number of visible keys, one for all or an integer tensor [batch], one per sequence.

    Raises TypeError or ValueError for a length that is not a count. `check` raises ValueError when
    the tensor's batch size or device differs from the call's.

    >>> import torch
    >>> from regard.masks import Causal, Prefix
    >>> b, h, position = torch.tensor(0), torch.tensor(0), torch.arange(3)
    >>> (Causal() | Prefix(2))(b, h, position[:, None], position).int()
    tensor([[1, 1, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    length: Count | Shaped[Tensor, "..."]

    def __post_init__(self) -> None:
        """Refuse lengths that are not counts."""
        if isinstance(self.length, Tensor):
            if not is_integer(self.length) or self.length.ndim != 1:
                raise TypeError(
                    "Prefix needs length to be an int or an integer tensor [batch], got "
                    f"{describe(self.length)}; give one length per sequence."
                )
        else:
            hint = "use 0 for no prefix, torch.tensor(lengths) for one per sequence"
            object.__setattr__(self, "length", count("Prefix", "length", self.length, 0, hint))

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit the first keys."""
        return k < (self.length[b] if isinstance(self.length, Tensor) else self.length)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless a tensor of lengths fits the call's batch and device."""
        if isinstance(self.length, Tensor):
            check_device("Prefix(length)", self.length, query)
            check_batch("Prefix(length)", self.length.shape[0], query)
