"""Attention over all axes of a video at once."""

from regard.vision._axis_attention import AxisBlock


class JointSpaceTimeAttention(AxisBlock):
    """A place attends to all places of all frames.

        output = x + W_o softmax(Q Kᵀ / sqrt(head_dim)) V        over all places of all frames

    Q, K and V are linear in the layer norm of x, and W_o starts at zero. The matrix of all pairs
    is never materialized.

    Args:
        num_heads: a divisor of the channels.

    Raises:
        ValueError: counts that do not fit, or maps that are not videos with so many channels.

    Example:
        >>> import torch
        >>> block = JointSpaceTimeAttention(32)
        >>> x = torch.randn(2, 32, 4, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 8, 140, 140]))

    References:
        Bertasius, Wang, Torresani. Is Space-Time Attention All You Need for Video Understanding?
        2021. https://arxiv.org/abs/2102.05095
    """

    axes = "both"
