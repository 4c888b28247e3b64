"""Which channels matter here? Each gate sees only neighboring channels."""

from math import log2

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import require_counts, require_maps, require_odd
from regard.vision._maps import means_of, over_places


def kernel_size_for(channels: int) -> int:
    """The paper's kernel size: t = |(log2(channels) + 1) / 2| truncated, plus 1 if even.

    >>> [kernel_size_for(channels) for channels in (64, 128, 256, 512, 1024, 2048)]
    [3, 5, 5, 5, 5, 7]
    """
    size = int(abs(log2(channels) + 1) / 2)
    return size if size % 2 else size + 1


class EfficientChannelAttention(nn.Module):
    """A gate for each channel, from the means of neighboring channels: a handful of weights in all.

        g(x) = sigmoid(convolution of mean(x) along the channels)        output = g(x) * x

    Channels outside the map count as zero.

    Args:
        kernel_size: channels that a gate sees, an odd number; None is the paper's formula. The
            published ResNets have one size per stage instead: 3, 5, 7, 7 in ResNet-18, 3, 3, 5,
            7 in ResNet-34, 3, 5, 5, 7 in ResNet-50, 3, 3, 5, 7 in ResNet-101 and -152.

    Raises:
        ValueError: an even kernel, a count below 1, or maps with another number of channels.

    Example:
        >>> block = EfficientChannelAttention(64)
        >>> block.convolution.kernel_size
        (3,)
        >>> block(torch.randn(2, 64, 7, 5)).shape
        torch.Size([2, 64, 7, 5])

    References:
        Wang, Wu, Zhu, Li, Zuo, Hu. ECA-Net: Efficient Channel Attention for Deep Convolutional
            Neural Networks. 2020. https://arxiv.org/abs/1910.03151
    """

    starts_as_identity = False

    def __init__(self, channels: int, kernel_size: int | None = None) -> None:
        super().__init__()
        require_counts("EfficientChannelAttention", channels=channels)
        if kernel_size is not None:
            require_odd("EfficientChannelAttention", "kernel_size", kernel_size)
        self.channels, self.kernel_size = channels, kernel_size
        size = kernel_size or kernel_size_for(channels)
        self.convolution = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, 1, ...]`."""
        require_maps("EfficientChannelAttention", x, self.channels)
        along_channels = means_of(x).unsqueeze(1)
        return over_places(torch.sigmoid(self.convolution(along_channels)).squeeze(1), x)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}"
