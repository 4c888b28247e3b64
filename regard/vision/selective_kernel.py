"""Which receptive field suits each channel? Attention over convolutions of several sizes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import (
    require_choice,
    require_counts,
    require_divisible,
    require_maps,
    require_values,
)
from regard.vision._maps import CONVOLUTIONS, NORMS, means_of, weighed


class SelectiveKernel(nn.Module):
    """Several convolutions of the maps, weighted against each other per channel.

        u_i = relu(norm(convolution of size 3, dilated by i, of x))        i = 1 ... branches
        z = relu(norm(W mean(u_1 + u_2 + ...)))
        g(x) = softmax over i of (A_i z)        output = sum over i of g_i(x) * u_i

    Args:
        branches: number of convolutions.
        groups: of each convolution; a divisor of the number of channels.
        reduction: z has width `channels / reduction`, at least `at_least`.
        at_least: the minimum width of z.
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: groups that do not divide the channels, a count below 1, maps with other
            channels or spatial dimensions, or a single image in training: the norm of z is over
            the batch alone.

    Example:
        >>> block = SelectiveKernel(64)
        >>> block(torch.randn(2, 64, 7, 5)).shape
        torch.Size([2, 64, 7, 5])
        >>> block.weights(torch.randn(2, 64, 7, 5)).shape
        torch.Size([2, 2, 64, 1, 1])

    References:
        Li, Wang, Hu, Yang. Selective Kernel Networks. 2019. https://arxiv.org/abs/1903.06586
    """

    starts_as_identity = False

    def __init__(
        self,
        channels: int,
        branches: int = 2,
        groups: int = 32,
        reduction: int = 16,
        at_least: int = 32,
        dims: int = 2,
    ) -> None:
        super().__init__()
        counts = {"channels": channels, "branches": branches, "groups": groups}
        require_counts("SelectiveKernel", **counts, reduction=reduction, at_least=at_least)
        require_choice("SelectiveKernel", "dims", dims, CONVOLUTIONS)
        require_divisible("SelectiveKernel", channels, "groups", groups)
        self.channels, self.groups, self.dims = channels, groups, dims
        self.reduction, self.at_least = reduction, at_least
        self.branches = branches
        hidden = max(channels // reduction, at_least)
        self.kernels = nn.ModuleList(
            nn.Sequential(
                CONVOLUTIONS[dims](
                    channels, channels, 3, padding=i, dilation=i, groups=groups, bias=False
                ),
                NORMS[dims](channels),
                nn.ReLU(),
            )
            for i in range(1, branches + 1)
        )
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.select = nn.Linear(hidden, branches * channels, bias=False)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """Each branch's weight in each channel: `[batch, branches, channels, 1, ...]`."""
        return self._shares(self._looked(x))

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        looked = self._looked(x)
        return weighed(looked, self._shares(looked))

    def _looked(self, x: Tensor) -> list[Tensor]:
        require_maps("SelectiveKernel", x, self.channels, self.dims)
        require_values("SelectiveKernel", self.norm, x.flatten(2)[:, :, 0])
        return [kernel(x) for kernel in self.kernels]

    def _shares(self, looked: list[Tensor]) -> Tensor:
        means = torch.stack([means_of(u) for u in looked]).sum(0)
        z = torch.relu(self.norm(self.squeeze(means)))
        scores = self.select(z).unflatten(1, (self.branches, self.channels))
        return torch.softmax(scores, 1).reshape(*scores.shape, *(1 for _ in range(self.dims)))

    def extra_repr(self) -> str:
        return f"{self.channels}, branches={self.branches}, groups={self.groups}"
