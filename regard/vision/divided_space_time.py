"""Attention along time, and then within each frame."""

from jaxtyping import Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard.vision._axis_attention import AxisAttention
from regard.vision._checks import require_maps


class DividedSpaceTimeAttention(nn.Module):
    """A place attends to itself in all frames, then to all places of its own frame.

        y = x + attention(x)             over the frames of each place
        output = y + attention(y)        over the places of each frame

    Each has its own layer norm, projections and residual. The authors' network also has a class
    token, which attends in every frame, and an MLP after them; this block is the two attentions.
    Both start at zero, not only the first, so that a new block returns its input.

    Args:
        num_heads: a divisor of the channels.

    Raises:
        ValueError: counts that do not fit, or maps that are not videos with so many channels.

    Example:
        >>> import torch
        >>> block = DividedSpaceTimeAttention(32)
        >>> x = torch.randn(2, 32, 4, 7, 5)
        >>> {name: list(weights.shape) for name, weights in block.weights(x).items()}
        {'time': [2, 8, 140, 4], 'space': [2, 8, 140, 35]}

    References:
        Bertasius, Wang, Torresani. Is Space-Time Attention All You Need for Video Understanding?
        2021. https://arxiv.org/abs/2102.05095
    """

    starts_as_identity = True

    def __init__(self, channels: int, num_heads: int = 8) -> None:
        super().__init__()
        self.channels, self.num_heads = channels, num_heads
        self.time = AxisAttention("DividedSpaceTimeAttention", channels, num_heads, "time")
        self.space = AxisAttention("DividedSpaceTimeAttention", channels, num_heads, "space")

    def weights(
        self, x: Float[Tensor, "batch channels time height width"], rows: Chosen = None
    ) -> dict[str, Tensor]:
        """The weights of all places of all frames, or of those in `rows`, for both attentions."""
        require_maps("DividedSpaceTimeAttention", x, self.channels, dims=3)
        between = x + self.time(x)
        return {"time": self.time.weights(x, rows), "space": self.space.weights(between, rows)}

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels time height width"]:
        require_maps("DividedSpaceTimeAttention", x, self.channels, dims=3)
        between = x + self.time(x)
        return between + self.space(between)

    def extra_repr(self) -> str:
        return f"{self.channels}, num_heads={self.num_heads}"
