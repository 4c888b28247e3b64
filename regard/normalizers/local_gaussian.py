"""Softmax times a Gaussian around a position chosen by each query."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Number, Valued
from regard.normalizers._closed import at_least_float32, closed_pairs, in_dtype_of
from regard.normalizers.softmax import softmax


@dataclass(frozen=True, eq=False, repr=False)
class LocalGaussian(Valued):
    """Luong's predictive local attention (local-p): keys count less the farther from `center`.

        weights_s = softmax(scores)_s * exp(-(s - center)^2 / (2 sigma^2))

    `center` holds one key position per query, real-valued and counted from 0, as
    `[batch, heads, q_len]` or anything that broadcasts to it; it receives a gradient. Keep it in
    float32: bfloat16 cannot represent all positions above 256. The product is not renormalized, so
    rows sum to less than one. With `window` D the softmax sees only keys within D of the center;
    the paper uses D = 10 and sigma = D / 2. The authors' code rounds the center down for the
    window only; here the window is the paper's, around the center itself. `sigma` may be a learned
    scalar, an `nn.Parameter` with one element; its value is not checked, so keep it positive.
    Raises ValueError when `sigma` or `window` is out of range or `center` does not fit the query,
    TypeError when one of them is not a number.

    Example:
        >>> center = torch.tensor([[[2.0]]])
        >>> LocalGaussian(center, sigma=1.0)(torch.zeros(1, 1, 1, 4))
        tensor([[[[0.0338, 0.1516, 0.2500, 0.1516]]]])

    References:
        Minh-Thang Luong, Hieu Pham, Christopher Manning. Effective Approaches to Attention-based
        Neural Machine Translation. 2015. https://arxiv.org/abs/1508.04025
    """

    center: Tensor
    sigma: Number
    window: Number | None = None

    def __post_init__(self) -> None:
        hint = "it counts keys, and the paper uses half the window"
        sigma = number("LocalGaussian", "sigma", self.sigma, above=0.0, hint=hint)
        object.__setattr__(self, "sigma", sigma)
        if self.window is not None:
            object.__setattr__(self, "window", _width(self.window))
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
        """Raise ValueError when `center` does not fit the queries' shape or device."""
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
        wide = at_least_float32(scores)
        center = rearrange(self.center.to(wide.dtype), "... q_len -> ... q_len 1")
        place = torch.arange(wide.shape[-1], device=wide.device, dtype=wide.dtype)
        distance = place - center
        permitted = ~closed_pairs(wide, where)
        if self.window is not None:
            permitted = permitted & (distance.abs() <= self.window)
        # A center of a dead row may be anything, NaN included.
        distance = torch.where(permitted, distance, 0.0)
        nearness = torch.exp(-0.5 * (distance / scalar(self.sigma, wide)).square())
        return in_dtype_of(scores, softmax(wide, permitted) * nearness)


def _width(window: Any) -> float:
    """The window as a number; it raises for a negative one and for none."""
    hint = "it counts keys; pass None to see all of them"
    if isinstance(window, Tensor):
        raise TypeError(f"LocalGaussian needs window to be a plain number, got a tensor; {hint}.")
    window = number("LocalGaussian", "window", window, above=-math.inf, hint=hint)
    if window < 0.0:
        raise ValueError(f"LocalGaussian needs window >= 0, got {window:g}; {hint}.")
    return window
