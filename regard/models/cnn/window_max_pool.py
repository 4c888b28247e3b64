"""Max pooling over all positions, and which tokens the maxima came from."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from regard.layers import MeanPool
from regard.masks import Padding


class WindowMaxPool(nn.Module):
    """The maximum of each filter over all positions; zeros for an empty sequence.

    Args:
        widths: how many adjacent tokens the filters see, for each group of filters.
        filters: number of filters of each width.

    >>> x = torch.tensor([[[1.0], [5.0], [0.0], [0.0]]])
    >>> pool = WindowMaxPool((2,), filters=1)
    >>> pool(x), pool.weights(x)
    (tensor([[[5.]]]), tensor([[[0.0000, 0.5000, 0.5000, 0.0000]]]))
    """

    def __init__(self, widths: tuple[int, ...], filters: int) -> None:
        super().__init__()
        self.widths, self.filters = widths, filters
        self.even = MeanPool()

    def forward(
        self, x: Float[Tensor, "batch k_len width"], mask: Padding | None = None
    ) -> Float[Tensor, "batch 1 width"]:
        # No feature is negative, so one more position of zeros is no maximum; a text may be "".
        return pad(x, (0, 0, 0, 1)).amax(1, keepdim=True)

    def weights(
        self, x: Float[Tensor, "batch k_len width"], mask: Padding | None = None
    ) -> Float[Tensor, "batch 1 k_len"]:
        """The share of the filters whose maximum is in a window that contains the token.

        Each filter is divided among its window's tokens. Filters with a maximum of zero do not
        count; if all are zero, all tokens count equally.
        """
        even = self.even.weights(x, mask).squeeze(1)
        peak, place = pad(x, (0, 0, 0, 1)).max(1)
        active, votes = peak > 0, torch.zeros_like(even)
        groups = zip(*(each.split(self.filters, 1) for each in (place, active)), strict=True)
        for width, (centre, found) in zip(self.widths, groups, strict=True):
            near = _window(centre, width, x.shape[1]) & (even > 0).unsqueeze(1)
            share = near.to(x.dtype) / near.sum(-1, keepdim=True).clamp(min=1)
            votes += (share * rearrange(found, "batch filters -> batch filters 1")).sum(1)
        votes = torch.where(active.any(1, keepdim=True), votes, even)
        return (votes / votes.sum(1, keepdim=True).clamp(min=1)).unsqueeze(1)

    def extra_repr(self) -> str:
        return f"widths={self.widths}, filters={self.filters}"


def _window(
    centre: Int[Tensor, "batch filters"], width: int, length: int
) -> Bool[Tensor, "batch filters k_len"]:
    """Which tokens a filter sees that is centred on a token."""
    token = torch.arange(length, device=centre.device)
    away = token - rearrange(centre, "batch filters -> batch filters 1")
    return (away >= -((width - 1) // 2)) & (away <= width // 2)
