"""What was here before, and what comes after? Attention along time."""

from jaxtyping import Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard.vision._axis_attention import AxisAttention
from regard.vision._checks import require_maps


class TemporalAttention(nn.Module):
    """A place attends to itself in all frames.

        output = x + W_o softmax(Q Kᵀ / sqrt(head_dim)) V        over the frames of each place

    Q, K and V are linear in the layer norm of x, and W_o starts at zero. It is the first half of
    divided space–time attention.

    Args:
        num_heads: a divisor of the channels.

    Raises:
        ValueError: counts that do not fit, or maps that are no video of so many channels.

    Example:
        >>> import torch
        >>> block = TemporalAttention(32)
        >>> x = torch.randn(2, 32, 4, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 8, 140, 4]))

    References:
        Bertasius, Wang, Torresani. Is Space-Time Attention All You Need for Video Understanding?
        2021. https://arxiv.org/abs/2102.05095
    """

    starts_as_identity = True

    def __init__(self, channels: int, num_heads: int = 8) -> None:
        super().__init__()
        self.channels, self.num_heads = channels, num_heads
        self.attention = AxisAttention("TemporalAttention", channels, num_heads, "time")

    def weights(
        self, x: Float[Tensor, "batch channels time height width"], rows: Chosen = None
    ) -> Float[Tensor, "batch heads some_places frames"]:
        """The weights of all places of all frames, one after the other, or of those in `rows`."""
        require_maps("TemporalAttention", x, self.channels, dims=3)
        return self.attention.weights(x, rows)

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels time height width"]:
        require_maps("TemporalAttention", x, self.channels, dims=3)
        return x + self.attention(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, num_heads={self.num_heads}"
