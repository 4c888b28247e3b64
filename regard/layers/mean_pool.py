"""The mean over all positions but padding."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.masks import Padding


class MeanPool(nn.Module):
    """The mean of a sequence: `AttentionPool` with equal weights.

    >>> MeanPool()(torch.tensor([[[1.0], [3.0], [9.0]]]), Padding(torch.tensor([2])))
    tensor([[[2.]]])
    """

    def forward(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch 1 embed_dim"]:
        weights = self.weights(x, mask)
        if mask is not None:
            # 0 x NaN would be NaN.
            padding = rearrange(weights == 0, "batch 1 k_len -> batch k_len 1")
            x = x.masked_fill(padding, 0.0)
        return weights @ x

    def weights(
        self, x: Float[Tensor, "batch k_len embed_dim"], mask: Padding | None = None
    ) -> Float[Tensor, "batch 1 k_len"]:
        """1 / length; zero for padding."""
        if mask is None:
            return x.new_full((len(x), 1, x.shape[1]), 1 / max(1, x.shape[1]))
        batch, place = (torch.arange(size, device=x.device) for size in x.shape[:2])
        zero = torch.zeros_like(place[:1])
        real = mask(rearrange(batch, "batch -> batch 1"), zero, zero, place).to(x.dtype)
        weights = real / real.sum(1, keepdim=True).clamp(min=1)
        return rearrange(weights, "batch k_len -> batch 1 k_len")
