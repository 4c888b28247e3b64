"""Which of several splits should each channel come from?"""

from math import ceil

import torch
from einops import rearrange
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

AT_LEAST = 32


class SplitAttention(nn.Module):
    """Splits that each see some of the channels, weighted against each other per channel.

        [u_1 ... u_radix] = relu(norm(grouped convolution of size 3 of x))
        z = relu(norm(W_1 mean(u_1 + u_2 + ...) + b_1))
        g(x) = softmax over i of (W_2 z + b_2)        output = sum over i of g_i(x) * u_i

    With a radix of 1 there is nothing to choose from, and g is a sigmoid. b_1 matters only in
    evaluation, since the norm cancels it in training; it is kept because published weights have it.

    Args:
        radix: number of splits.
        groups: of W_1, W_2 and each split; `groups * radix` must divide the channels.
        reduction: z has width `radix * channels / reduction`, at least 32, rounded up to a multiple
            of the groups.
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: channels that cannot be divided, a count below 1, maps with other channels or
            spatial dimensions, or a single image in training: the norm of z is over the batch
            alone.

    Example:
        >>> block = SplitAttention(32)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 2, 32, 1, 1])

    References:
        Zhang, Wu, Zhang, Zhu, Lin, Zhang, Sun, He, Mueller, Manmatha, Li, Smola. ResNeSt:
            Split-Attention Networks. 2022. https://arxiv.org/abs/2004.08955
    """

    starts_as_identity = False

    def __init__(
        self, channels: int, radix: int = 2, groups: int = 1, reduction: int = 4, dims: int = 2
    ) -> None:
        super().__init__()
        counts = {"channels": channels, "radix": radix, "groups": groups, "reduction": reduction}
        require_counts("SplitAttention", **counts)
        require_choice("SplitAttention", "dims", dims, CONVOLUTIONS)
        require_divisible("SplitAttention", channels, "groups * radix", groups * radix)
        self.channels, self.radix, self.groups = channels, radix, groups
        self.reduction, self.dims = reduction, dims
        hidden = groups * ceil(max(channels * radix // reduction, AT_LEAST) / groups)
        self.splits = nn.Sequential(
            CONVOLUTIONS[dims](
                channels, channels * radix, 3, padding=1, groups=groups * radix, bias=False
            ),
            NORMS[dims](channels * radix),
            nn.ReLU(),
        )
        self.squeeze = nn.Conv1d(channels, hidden, 1, groups=groups)
        self.norm = nn.BatchNorm1d(hidden)
        self.select = nn.Conv1d(hidden, channels * radix, 1, groups=groups)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """Each split's weight in each channel: `[batch, radix, channels, 1, ...]`."""
        return self._shares(self._split(x))

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        splits = self._split(x)
        return weighed(splits, self._shares(splits))

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        require_maps("SplitAttention", x, self.channels, self.dims)
        require_values("SplitAttention", self.norm, x.flatten(2)[:, :, 0])
        return self.splits(x).chunk(self.radix, 1)

    def _shares(self, splits: tuple[Tensor, ...]) -> Tensor:
        means = torch.stack([means_of(u) for u in splits]).sum(0).unsqueeze(2)
        scores = self.select(torch.relu(self.norm(self.squeeze(means))))
        # The layer's groups stand outside of the splits, as in the published weights.
        scores = rearrange(scores, "b (g r c) 1 -> b r (g c)", g=self.groups, r=self.radix)
        shares = torch.softmax(scores, 1) if self.radix > 1 else torch.sigmoid(scores)
        return shares.reshape(*shares.shape, *(1 for _ in range(self.dims)))

    def extra_repr(self) -> str:
        return f"{self.channels}, radix={self.radix}, groups={self.groups}"
