"""Any block, initialized as the identity: it changes no output until it is trained."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FromIdentity(nn.Module):
    """A block f faded in by one learned number, which starts at 0.

        output = x + gamma * (f(x) - x),  gamma = 0 at first

    A new one returns its input bit for bit, including signed zeros and infinities, and NaN as NaN,
    whatever f computes; gradients reach gamma from the first step, and f from the second.

    Args:
        block: f, from maps to maps of the same shape.

    Example:
        >>> from regard.vision import block
        >>> faded, x = FromIdentity(block("se(reduction=8)", 32)), torch.randn(2, 32, 7, 5)
        >>> torch.equal(faded(x), x), faded.weights(x).shape
        (True, torch.Size([2, 32, 1, 1]))

    References:
        Bachlechner et al. ReZero is All You Need. 2021. https://arxiv.org/abs/2003.04887
    """

    starts_as_identity = True

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.gamma = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        """Start as the identity again, as after `to_empty`."""
        nn.init.zeros_(self.gamma)

    @property
    def channels(self) -> Any:
        """The channels of the block's input."""
        return self.block.channels

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Any:
        """The attention of the block, as if fully faded in."""
        weights: Any = self.block.weights
        return weights(x)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        change = self.block(x).to(x.dtype) - x
        # 0 * inf is NaN: what is not finite is no change while nothing is to change.
        change = change.where((self.gamma != 0) | change.isfinite(), 0.0)
        # 0 * change is 0 or -0, and -0 + 0 is 0; 0 - either is 0, and x - 0 is x to the bit.
        return x - (0.0 - self.gamma * change)
