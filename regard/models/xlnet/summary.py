"""The summary vector of a text."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import ACTIVATIONS
from regard.sequences import Packed, Sequences

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **ACTIVATIONS,
    "tanh": torch.tanh,
    "none": lambda x: x,
}


class Summary(nn.Module):
    """`tanh(W x + b)` of a text's last token, or as configured.

    A text's last token is `<cls>` in the published, left-padded layout; here it is the last one
    that is not padding.

    Args:
        config: an `XLNetClassifierConfig`.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.which = config.summary
        width = config.embed_dim
        self.projection = nn.Linear(width, width) if config.summary_projection else nn.Identity()
        self.activation = _ACTIVATIONS[config.summary_activation]

    def forward(
        self, states: Float[Tensor, "batch len width"], source: Sequences | Packed
    ) -> Float[Tensor, "rows width"]:
        return self.activation(self.projection(self.picked(states, source)))

    def picked(
        self, x: Float[Tensor, "batch len width"], source: Sequences | Packed
    ) -> Float[Tensor, "rows width"]:
        """The state of the summary token, or the mean of all."""
        take = {"last": source.last, "first": source.first, "mean": source.mean}
        return take[self.which](x)
