"""Multi-head self-attention along some axes of a video, shared by several blocks."""

from typing import ClassVar, Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard.vision._checks import require_counts, require_divisible, require_maps

Axes = Literal["time", "space", "both"]
TOKENS = {
    "time": "batch (height width) time channels",
    "space": "batch time (height width) channels",
    "both": "batch 1 (time height width) channels",
}
"""The layout in which the tokens of a group attend to each other."""
WEIGHTS = {
    "time": "(batch height width) heads time keys",
    "space": "(batch time) heads (height width) keys",
    "both": "batch heads (time height width) keys",
}
VIDEO = "batch channels time height width"
QUERIES = "batch heads (time height width) keys"


class AxisAttention(nn.Module):
    """What a residual adds: `W_o softmax(Q Kᵀ / sqrt(head_dim)) V` of the tokens' layer norm.

    W_o is initialized to zero, so a new one adds nothing. Keys have no bias, which softmax cancels.
    """

    def __init__(self, block: str, channels: int, num_heads: int, axes: Axes) -> None:
        super().__init__()
        require_counts(block, channels=channels, num_heads=num_heads)
        require_divisible(block, channels, "num_heads", num_heads)
        self.num_heads, self.axes = num_heads, axes
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def weights(
        self, x: Float[Tensor, "batch channels time height width"], rows: Chosen = None
    ) -> Float[Tensor, "batch heads some_places keys"]:
        """The weights of each place of each frame, or of those in `rows`, over its group."""
        tokens = rearrange(x, f"{VIDEO} -> {TOKENS[self.axes]}")
        if rows is not None:
            return self._weights_of(tokens, rows)
        tokens = self.norm(tokens.flatten(0, 1))
        weights = attention_weights(*self._heads(tokens, self.query, self.key))
        sizes = dict(zip(("time", "height", "width"), x.shape[2:], strict=True))
        return rearrange(weights, f"{WEIGHTS[self.axes]} -> {QUERIES}", **sizes)

    def _weights_of(self, tokens: Tensor, rows: Chosen) -> Tensor:
        """For some queries only, each with the keys of its group."""
        batch, groups, length = tokens.shape[:3]
        every = torch.arange(groups * length, device=tokens.device)
        chosen = every[rows].reshape(-1)
        if self.axes == "time":  # a query's group is its place, and places stand behind frames
            group, place = chosen % groups, chosen // groups
        else:
            group, place = chosen // length, chosen % length
        asking = self.norm(tokens[:, group, place]).flatten(0, 1).unsqueeze(1)
        asked = self.norm(tokens[:, group]).flatten(0, 1)
        (query,), (key,) = self._heads(asking, self.query), self._heads(asked, self.key)
        weights = attention_weights(query, key)
        return rearrange(weights, "(batch rows) heads 1 keys -> batch heads rows keys", batch=batch)

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels time height width"]:
        tokens = rearrange(x, f"{VIDEO} -> {TOKENS[self.axes]}")
        rows = self.norm(tokens.flatten(0, 1))
        taken = attention(*self._heads(rows, self.query, self.key, self.value))
        added = self.out(rearrange(taken, "rows heads length width -> rows length (heads width)"))
        sizes = dict(zip(("time", "height", "width"), x.shape[2:], strict=True))
        return rearrange(added.reshape(tokens.shape), f"{TOKENS[self.axes]} -> {VIDEO}", **sizes)

    def _heads(self, tokens: Tensor, *layers: nn.Linear) -> list[Tensor]:
        split = "rows length (heads width) -> rows heads length width"
        return [rearrange(layer(tokens), split, heads=self.num_heads) for layer in layers]


class AxisBlock(nn.Module):
    """The base of video blocks, which differ in their axes: `output = x + AxisAttention(x)`."""

    starts_as_identity = True
    axes: ClassVar[Axes]

    def __init__(self, channels: int, num_heads: int = 8) -> None:
        super().__init__()
        self.channels, self.num_heads = channels, num_heads
        self.attention = AxisAttention(type(self).__name__, channels, num_heads, self.axes)

    def weights(
        self, x: Float[Tensor, "batch channels time height width"], rows: Chosen = None
    ) -> Float[Tensor, "batch heads some_places keys"]:
        """The weights of all places of all frames in order, or of those in `rows`."""
        require_maps(type(self).__name__, x, self.channels, dims=3)
        return self.attention.weights(x, rows)

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch channels time height width"]:
        require_maps(type(self).__name__, x, self.channels, dims=3)
        return x + self.attention(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, num_heads={self.num_heads}"
