"""Attention within each frame, over height and width."""

from regard.vision._axis_attention import AxisBlock


class FrameAttention(AxisBlock):
    """A place attends to all places of its own frame.

        output = x + W_o softmax(Q Kᵀ / sqrt(head_dim)) V        over the places of each frame

    Q, K and V are linear in the layer norm of x, and W_o starts at zero. It is the second half of
    divided space–time attention, and by itself the paper's space attention.

    Args:
        num_heads: a divisor of the channels.

    Raises:
        ValueError: counts that do not fit, or maps that are not videos with so many channels.

    Example:
        >>> import torch
        >>> block = FrameAttention(32)
        >>> x = torch.randn(2, 32, 4, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 8, 140, 35]))

    References:
        Bertasius, Wang, Torresani. Is Space-Time Attention All You Need for Video Understanding?
        2021. https://arxiv.org/abs/2102.05095
    """

    axes = "space"
