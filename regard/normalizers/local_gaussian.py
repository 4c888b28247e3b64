"""Softmax times a Gaussian around a place that each query chooses."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers.softmax import softmax


@dataclass(frozen=True, eq=False)
class LocalGaussian:
    """Luong's predictive local attention (local-p): keys count less the further from `center`.

        weights_s = softmax(scores)_s * exp(-(s - center)^2 / (2 sigma^2))

    `center` holds one key position per query, real-valued and counted from 0, as
    `[batch, heads, q_len]` or anything that broadcasts to it; it receives a gradient. Keep it in
    float32: bfloat16 cannot tell positions above 256 apart. The product is not renormalized, so
    rows sum to less than one. With `window` D the softmax sees only keys within D of the center;
    the paper uses D = 10 and sigma = D / 2. The authors' code rounds the center down for the
    window only; here the window is the paper's, around the center itself.
    Raises ValueError when `sigma` or `window` is out of range or `center` does not fit the query.

    Example:
        >>> center = torch.tensor([[[2.0]]])
        >>> LocalGaussian(center, sigma=1.0)(torch.zeros(1, 1, 1, 4))
        tensor([[[[0.0338, 0.1516, 0.2500, 0.1516]]]])

    References:
        Minh-Thang Luong, Hieu Pham, Christopher Manning. Effective Approaches to Attention-based
        Neural Machine Translation. 2015. https://arxiv.org/abs/1508.04025
    """

    center: Tensor
    sigma: float
    window: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma < math.inf:
            raise ValueError(
                f"sigma must be a positive finite number of keys, got {self.sigma}; "
                "the paper uses half the window"
            )
        if self.window is not None and not self.window >= 0.0:
            raise ValueError(
                f"window must be a non-negative number of keys, got {self.window}; "
                "pass None to see all keys"
            )
        if not 0 < self.center.ndim <= 3:
            raise ValueError(
                f"center must have 1 to 3 dimensions, got {self.center.ndim}: "
                "give it as [batch, heads, q_len]"
            )

    def check(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
    ) -> None:
        """Raise ValueError when `center` does not broadcast to the queries or is elsewhere."""
        wanted = tuple(query.shape[:3])
        sizes = zip(reversed(self.center.shape), reversed(wanted), strict=False)
        if any(size not in (1, length) for size, length in sizes):
            raise ValueError(
                f"center of LocalGaussian has shape {tuple(self.center.shape)}, but the query has "
                f"[batch, heads, q_len] = {wanted}; each size must be equal or 1"
            )
        if self.center.device != query.device:
            raise ValueError(
                f"center of LocalGaussian is on {self.center.device}, but the query is on "
                f"{query.device}; move one of them"
            )

    def at(self, heads: Any, rows: Any) -> "LocalGaussian":
        """The same normalizer for some heads and query rows."""
        center = self.center
        if center.shape[-1] != 1:
            center = center[..., rows]
        if center.ndim > 1 and center.shape[-2] != 1:
            center = center[..., heads, :]
        return replace(self, center=center)

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        center = rearrange(self.center.to(scores.dtype), "... q_len -> ... q_len 1")
        place = torch.arange(scores.shape[-1], device=scores.device, dtype=scores.dtype)
        distance = place - center
        if self.window is not None:
            near = distance.abs() <= self.window
            where = near if where is None else where & near
        weights = softmax(scores, where)
        if where is not None:
            # A center of a dead row may be anything, NaN included.
            distance = torch.where(where, distance, 0.0)
        return weights * torch.exp(-0.5 * (distance / self.sigma).square())
