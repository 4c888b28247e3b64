"""The parts of residual networks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

Maps = Float[Tensor, "batch _ _ _"]
"""`[batch, channels, height, width]`; a layer changes all but the first."""
Made = Callable[[int], nn.Module]
"""The channels of maps → a block for them."""


class UncountedNorm(nn.BatchNorm2d):
    """A batch norm without a batch counter, which has no effect.

    >>> sorted(UncountedNorm(2).state_dict())
    ['bias', 'running_mean', 'running_var', 'weight']
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.num_batches_tracked = None

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: Any, *more: Any
    ) -> None:
        # Of a version that is not said PyTorch would add the count.
        known = {**local_metadata, "version": 2}
        super()._load_from_state_dict(state_dict, prefix, known, *more)


class ConvNorm(nn.Module):
    """A convolution and a batch norm: `norm(W * x)`.

    Raises `ValueError` in training for a batch of one value per channel, which has no variance.

    >>> ConvNorm(3, 8, 3, stride=2)(torch.randn(2, 3, 7, 6)).shape
    torch.Size([2, 8, 4, 3])
    """

    def __init__(
        self, channels: int, wider: int, kernel: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        around = dilation * (kernel // 2)
        self.conv = nn.Conv2d(channels, wider, kernel, stride, around, dilation, bias=False)
        self.norm = UncountedNorm(wider)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Maps) -> Maps:
        found = self.conv(x)
        if self.training and len(found) * found.shape[2] * found.shape[3] == 1:
            raise ValueError(
                "a batch norm cannot learn from one picture whose map has one place; take larger "
                "batches (batch_size), larger pictures (size), or model.eval()"
            )
        return self.norm(found)


class DeepStem(nn.Module):
    """Three 3 × 3 convolutions instead of one of 7 × 7; the first has the stride.

        output = norm(W_3 * relu(norm(W_2 * relu(norm(W_1 * x)))))

    >>> DeepStem(3, 8)(torch.randn(2, 3, 8, 6)).shape
    torch.Size([2, 16, 4, 3])

    References:
        Szegedy, Vanhoucke, Ioffe, Shlens & Wojna. Rethinking the Inception Architecture for
        Computer Vision. 2016. https://arxiv.org/abs/1512.00567
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                ConvNorm(channels, width, 3, 2),
                ConvNorm(width, width, 3),
                ConvNorm(width, 2 * width, 3),
            ]
        )

    def forward(self, x: Maps) -> Maps:
        first, second, third = self.layers
        return third(torch.relu(second(torch.relu(first(x)))))


class ZeroPadded(nn.Module):
    """A shortcut without weights: every `stride`-th place, and zeros for the additional channels.

    >>> ZeroPadded(3, stride=2)(torch.ones(1, 2, 3, 3)).flatten(2).sum(2)
    tensor([[4., 4., 0., 0., 0.]])
    """

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: Maps) -> Maps:
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))

    def extra_repr(self) -> str:
        return f"{self.more}, stride={self.stride}"


class Instead(nn.Module):
    """A block that replaces a 3 × 3 convolution: every `stride`-th place of its output."""

    def __init__(self, block: nn.Module, stride: int) -> None:
        super().__init__()
        self.block, self.stride = block, stride

    def forward(self, x: Maps) -> Maps:
        return self.block(x)[:, :, :: self.stride, :: self.stride]


class ResidualBlock(nn.Module):
    """Two or three layers with a residual connection.

        output = relu(attention(layers(x)) + shortcut(x))

    A bottleneck's stride is in its 3 × 3 convolution, not in the first one as in the paper; all
    published weights have it there.

    Args:
        channels: of the input.
        width: of the middle layers; of a bottleneck the output is four times as wide.
        dilation: of the 3 × 3 kernels: of the strided one, and of the second of two.
        padded: whether the shortcut to more channels is zero-padded rather than projected.
        attention: builds the block before the sum.
        instead: builds the block that replaces the 3 × 3 convolution, the first if there are two,
            as in timm: such a block ends with a ReLU, and what is added to the input must be able
            to be negative. If channels grow, they do so in the second.

    >>> block = ResidualBlock(16, 8, stride=2, bottleneck=True)
    >>> block(torch.randn(2, 16, 6, 6)).shape
    torch.Size([2, 32, 3, 3])

    References:
        He, Zhang, Ren & Sun. Deep Residual Learning for Image Recognition. 2016.
        https://arxiv.org/abs/1512.03385
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        stride: int = 1,
        dilation: tuple[int, int] = (1, 1),
        bottleneck: bool = False,
        padded: bool = False,
        attention: Made | None = None,
        instead: Made | None = None,
    ) -> None:
        super().__init__()
        wider = 4 * width if bottleneck else width
        layers: list[nn.Module]
        if bottleneck:
            three: nn.Module = ConvNorm(width, width, 3, stride, dilation[0])
            if instead:
                three = Instead(instead(width), stride)
            layers = [ConvNorm(channels, width, 1), three, ConvNorm(width, wider, 1)]
        elif instead:
            in_place = Instead(instead(channels), stride)
            layers = [in_place, ConvNorm(channels, width, 3, 1, dilation[1])]
        else:
            last = ConvNorm(width, width, 3, 1, dilation[1])  # drawn first, as a seed's weights are
            layers = [ConvNorm(channels, width, 3, stride, dilation[0]), last]
        self.layers = nn.ModuleList(layers)
        self.attention = attention(wider) if attention else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if channels != wider or stride != 1:
            projected = not padded or wider < channels
            self.shortcut = (
                ConvNorm(channels, wider, 1, stride)
                if projected
                else ZeroPadded(wider - channels, stride)
            )

    def forward(self, x: Maps) -> Maps:
        found = x
        for number, layer in enumerate(self.layers):
            found = layer(torch.relu(found) if number else found)
        return torch.relu(self.attention(found) + self.shortcut(x))


class Stage(nn.Module):
    """Residual blocks, with an attention block before the last of them and one after all.

    Args:
        inside: the block before the last residual block.
        behind: the block after all.
    """

    def __init__(
        self,
        blocks: Sequence[nn.Module],
        inside: nn.Module | None = None,
        behind: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.inside, self.behind = inside or nn.Identity(), behind or nn.Identity()

    def forward(self, x: Maps) -> Maps:
        *before, last = self.blocks
        for block in before:
            x = block(x)
        return self.behind(last(self.inside(x)))
