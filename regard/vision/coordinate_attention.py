"""Which rows and which columns matter, for each channel?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import hardswish

from regard.vision._checks import hidden_channels, require_counts, require_maps

AT_LEAST = 8


class CoordinateAttention(nn.Module):
    """A gate for each row and each column of each channel, from the means along them.

        [f_rows, f_columns] = hardswish(norm(W [row means, column means]))
        g_rows = sigmoid(W_rows f_rows)        g_columns = sigmoid(W_columns f_columns)
        output = g_rows * g_columns * x

    W, shared by rows and columns, has a bias that matters only in evaluation: in training, the
    norm cancels it. It is kept because the published weights have it.

    Args:
        reduction: W has `channels / reduction` units, at least 8.

    Raises:
        ValueError: a count below 1, or maps that are not images with this number of channels.

    Example:
        >>> block = CoordinateAttention(32)
        >>> {name: [*gate.shape] for name, gate in block.weights(torch.randn(2, 32, 7, 5)).items()}
        {'rows': [2, 32, 7, 1], 'columns': [2, 32, 1, 5]}

    References:
        Hou, Zhou, Feng. Coordinate Attention for Efficient Mobile Network Design. 2021.
            https://arxiv.org/abs/2103.02907
    """

    starts_as_identity = False

    def __init__(self, channels: int, reduction: int = 32) -> None:
        super().__init__()
        require_counts("CoordinateAttention", channels=channels, reduction=reduction)
        self.channels, self.reduction = channels, reduction
        hidden = hidden_channels(channels, reduction, AT_LEAST)
        self.squeeze = nn.Conv1d(channels, hidden, 1)
        self.norm = nn.BatchNorm1d(hidden)
        self.rows = nn.Conv1d(hidden, channels, 1)
        self.columns = nn.Conv1d(hidden, channels, 1)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> dict[str, Tensor]:
        """`rows` `[batch, channels, height, 1]`, and `columns` `[batch, channels, 1, width]`."""
        require_maps("CoordinateAttention", x, self.channels, dims=2)
        lines = torch.cat([x.mean(3), x.mean(2)], 2)
        hidden = hardswish(self.norm(self.squeeze(lines)))
        rows, columns = hidden.split(x.shape[2:], 2)
        return {
            "rows": torch.sigmoid(self.rows(rows)).unsqueeze(3),
            "columns": torch.sigmoid(self.columns(columns)).unsqueeze(2),
        }

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        gates = self.weights(x)
        return x * gates["rows"] * gates["columns"]

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}"
