"""What else is in this video? Attention along all axes at once."""

from jaxtyping import Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard.vision._axis_attention import AxisAttention
from regard.vision._checks import require_maps


class JointSpaceTimeAttention(nn.Module):
    """A place attends to all places of all frames.

        output = x + W_o softmax(Q Kᵀ / sqrt(head_dim)) V        over all places of all frames

    Q, K and V are linear in the layer norm of x, and W_o starts at zero. The matrix of all pairs is
    never held.

    Args:
        num_heads: a divisor of the channels.

    Raises:
        ValueError: counts that do not fit, or maps that are no video of so many channels.

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

    starts_as_identity = True

    def __init__(self, channels: int, num_heads: int = 8) -> None:
        super().__init__()
        self.channels, self.num_heads = channels, num_heads
        self.attention = AxisAttention("JointSpaceTimeAttention", channels, num_heads, "both")

    def weights(
        self, x: Float[Tensor, "batch channels time height width"], rows: Chosen = None
    ) -> Float[Tensor, "batch heads some_places all_places"]:
        """The weights of all places of all frames, one after the other, or of those in `rows`."""
        require_maps("JointSpaceTimeAttention", x, self.channels, dims=3)
        return self.attention.weights(x, rows)

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels time height width"]:
        require_maps("JointSpaceTimeAttention", x, self.channels, dims=3)
        return x + self.attention(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, num_heads={self.num_heads}"
