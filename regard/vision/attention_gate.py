"""Which places of a fine map matter, given a coarser one?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from regard.vision._checks import (
    hidden_channels,
    require_choice,
    require_counts,
    require_maps,
    require_values,
)
from regard.vision._maps import CONVOLUTIONS, NORMS

VARIANTS = ("paper", "official")
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class AttentionGate(nn.Module):
    """A gate for each place of x, from x and a coarser map g, for the skips of a U-Net.

        g(x) = sigmoid(psi . relu(W_x x + W_g g + b_g) + b_psi)        output = g(x) * x

    W_x is a convolution with kernel size and stride `stride`; W_g has kernel size 1. Its result is
    interpolated linearly to the size of the former, and the gates to that of x. The authors' code
    has a convolution of size 1 and a batch norm after the product.

    Args:
        channels: of x.
        gating_channels: of g, which may have any size.
        hidden: width of the sum; None is `channels / 2`, at least one.
        stride: factor by which the gates are coarser than x; with 1 there is one per place.
        variant: "paper" or "official".
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: a count below 1, an unknown variant, maps with other channels or spatial
            dimensions, two batches of different sizes, an x smaller than the stride, or, in the
            official variant in training, a single place of a single image.

    Example:
        >>> gate = AttentionGate(channels=16, gating_channels=32)
        >>> x, g = torch.randn(2, 16, 12, 10), torch.randn(2, 32, 6, 5)
        >>> gate(x, g).shape, gate.weights(x, g).shape
        (torch.Size([2, 16, 12, 10]), torch.Size([2, 1, 12, 10]))

    References:
        Oktay, Schlemper, Le Folgoc, Lee, Heinrich, Misawa, Mori, McDonagh, Hammerla, Kainz,
            Glocker, Rueckert. Attention U-Net: Learning Where to Look for the Pancreas. 2018.
            https://arxiv.org/abs/1804.03999
    """

    def __init__(
        self,
        channels: int,
        gating_channels: int,
        hidden: int | None = None,
        stride: int = 2,
        variant: str = "paper",
        dims: int = 2,
    ) -> None:
        super().__init__()
        counts = {"channels": channels, "gating_channels": gating_channels, "stride": stride}
        require_counts("AttentionGate", **counts)
        width = hidden_channels(channels, 2) if hidden is None else hidden
        require_counts("AttentionGate", hidden=width)
        require_choice("AttentionGate", "variant", variant, VARIANTS)
        require_choice("AttentionGate", "dims", dims, CONVOLUTIONS)
        self.channels, self.gating_channels, self.hidden = channels, gating_channels, hidden
        self.stride, self.variant, self.dims = stride, variant, dims
        convolution = CONVOLUTIONS[dims]
        self.of_x = convolution(channels, width, stride, stride=stride, bias=False)
        self.of_g = convolution(gating_channels, width, 1)
        self.score = convolution(width, 1, 1)
        official = variant == "official"
        self.transform = convolution(channels, channels, 1) if official else nn.Identity()
        self.norm = NORMS[dims](channels) if official else nn.Identity()

    def weights(
        self,
        x: Float[Tensor, "batch channels *places"],
        g: Float[Tensor, "batch gating_channels *coarser"],
    ) -> Float[Tensor, "batch 1 *places"]:
        """The gates."""
        self._check(x, g)
        of_x = self.of_x(x)
        of_g = self._resized(self.of_g(g), of_x)
        return self._resized(torch.sigmoid(self.score(torch.relu(of_x + of_g))), x)

    def forward(
        self,
        x: Float[Tensor, "batch channels *places"],
        g: Float[Tensor, "batch gating_channels *coarser"],
    ) -> Float[Tensor, "batch channels *places"]:
        y = self.transform(x * self.weights(x, g))
        require_values("AttentionGate", self.norm, y)
        return self.norm(y)

    def _resized(self, maps: Tensor, like: Tensor) -> Tensor:
        return interpolate(maps, like.shape[2:], mode=LINEAR[self.dims], align_corners=False)

    def _check(self, x: Tensor, g: Tensor) -> None:
        require_maps("AttentionGate", x, self.channels, self.dims)
        require_maps("AttentionGate", g, self.gating_channels, self.dims)
        if x.shape[0] != g.shape[0]:
            raise ValueError(
                f"AttentionGate needs one map g for each map x, got {g.shape[0]} for {x.shape[0]}"
            )
        if any(size < self.stride for size in x.shape[2:]):
            raise ValueError(
                f"AttentionGate has stride {self.stride}, and x {[*x.shape]} has fewer places: say "
                f"stride={min(x.shape[2:])}"
            )

    def extra_repr(self) -> str:
        return f"{self.channels}, {self.gating_channels}, variant={self.variant!r}"
