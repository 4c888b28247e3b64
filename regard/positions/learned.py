"""Learned position embedding."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._numbers import count
from regard._torch_private import can_look_at, is_jit_traced


class Learned(nn.Module):
    """A learned vector for each of `max_length` positions, to be added to the embeddings.

        encoding[p] = weight[p]

    Initialized from a normal distribution with standard deviation 0.02, as in BERT and GPT-2.
    Raises ValueError when more positions are requested than there are.

    Example:
        >>> positions = Learned(max_length=512, embed_dim=16)
        >>> positions(10).shape, positions(1, offset=10).shape
        (torch.Size([10, 16]), torch.Size([1, 16]))
        >>> positions.at(torch.tensor([[0, 0, 1], [0, 1, 2]])).shape
        torch.Size([2, 3, 16])

    References:
        Jonas Gehring, Michael Auli, David Grangier, Denis Yarats, Yann Dauphin. Convolutional
        Sequence to Sequence Learning. 2017. https://arxiv.org/abs/1705.03122
    """

    def __init__(self, max_length: int, embed_dim: int) -> None:
        super().__init__()
        max_length = count("Learned", "max_length", max_length, least=1, hint="BERT has 512")
        embed_dim = count("Learned", "embed_dim", embed_dim, least=1, hint="it is a width")
        self.weight = nn.Parameter(torch.empty(max_length, embed_dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, length: int, *, offset: int = 0) -> Float[Tensor, "length embed_dim"]:
        """Vectors of the positions from `offset` on."""
        if not is_jit_traced():  # there a length is a tensor
            length = count("Learned", "length", length, least=0, hint="it is a number of positions")
            offset = count("Learned", "offset", offset, least=0, hint="it is the first position")
            self._check(offset + length)
        return self.weight[offset : offset + length]

    def at(self, positions: Int[Tensor, "*tokens"]) -> Float[Tensor, "*tokens embed_dim"]:
        """Vectors of these positions, for instance counted without padding.

        An index out of range is an error on the CPU; other devices handle it in their own way.
        """
        if can_look_at(positions) and positions.numel():
            low, high = positions.aminmax()
            if low < 0:
                raise ValueError(f"positions must not be negative, got {low.item()}")
            self._check(int(high) + 1)
        return F.embedding(positions, self.weight)

    def _check(self, needed: int) -> None:
        if needed > len(self.weight):
            raise ValueError(
                f"{needed} positions are needed, but max_length is {len(self.weight)}; shorten "
                "the input or build Learned with a larger max_length"
            )
