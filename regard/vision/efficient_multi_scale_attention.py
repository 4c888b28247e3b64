"""Which places matter here? Two views of a channel group each tell the other where to attend."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import require_counts, require_divisible, require_maps


class EfficientMultiScaleAttention(nn.Module):
    """A gate for each place and group of channels, from a local view and one along the axes.

        y_1 = norm(x * sigmoid(W row means) * sigmoid(W column means))
        y_2 = convolution of size 3 of x
        g(x) = sigmoid(softmax(mean(y_1)) . y_2 + softmax(mean(y_2)) . y_1)        output = g(x) * x

    Each group of channels is processed separately, with the same weights; the softmax and the
    products are over its channels. The norm is per channel over its places, so that the mean of
    y_1 is the norm's bias, whatever the input: it is taken from there.

    Args:
        groups: number of channel groups; a divisor of the number of channels.

    Raises:
        ValueError: groups that do not divide the channels, a count below 1, or maps that are not
            images with this number of channels.

    Example:
        >>> block = EfficientMultiScaleAttention(32, groups=8)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 8, 7, 5])

    References:
        Ouyang, He, Zhang, Luo, Guo, Zhan, Huang. Efficient Multi-Scale Attention Module with
            Cross-Spatial Learning. 2023. https://arxiv.org/abs/2305.13563
    """

    starts_as_identity = False

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        require_counts("EfficientMultiScaleAttention", channels=channels, groups=groups)
        require_divisible("EfficientMultiScaleAttention", channels, "groups", groups)
        self.channels, self.groups = channels, groups
        each = channels // groups
        self.norm = nn.GroupNorm(each, each)
        self.along = nn.Conv1d(each, each, 1)
        self.around = nn.Conv2d(each, each, 3, padding=1)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, groups, height, width]`."""
        require_maps("EfficientMultiScaleAttention", x, self.channels, dims=2)
        each, norm = self.channels // self.groups, self.norm
        x = x.reshape(-1, each, *x.shape[2:])
        rows, columns = self.along(torch.cat([x.mean(3), x.mean(2)], 2)).split(x.shape[2:], 2)
        gated = x * torch.sigmoid(rows).unsqueeze(3) * torch.sigmoid(columns).unsqueeze(2)
        # The function itself: the layer refuses a map of one place, whose norm is the bias.
        one = torch.group_norm(gated, each, norm.weight, norm.bias, norm.eps).flatten(2)
        other = self.around(x).flatten(2)
        of_one = torch.softmax(norm.bias, 0)
        of_other = torch.softmax(other.mean(2, keepdim=True), 1)
        scores = of_one @ other + (of_other * one).sum(1)
        return torch.sigmoid(scores).reshape(-1, self.groups, *x.shape[2:])

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        gates = self.weights(x).unsqueeze(2)
        return (x.unflatten(1, (self.groups, -1)) * gates).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.channels}, groups={self.groups}"
