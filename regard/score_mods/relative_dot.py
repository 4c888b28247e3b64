"""RelativeDot: a dot product with a vector for each distance, as in Transformer-XL and XLNet."""

import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float, Shaped
from torch import Tensor

from regard._numbers import count, number
from regard._pairwise import (
    Count,
    Index,
    Offset,
    bind_rows,
    check_device,
    check_first_query,
    describe,
    position,
    rows_of,
    show_position,
)
from regard._torch_private import is_any_autocast


@dataclass(frozen=True, eq=False)
class RelativeDot:
    """Add a dot product with the vector of the distance: score + scale · query[q] · keys[q − k].

    Row c of `keys` is for the distance `farthest − c`. Distances beyond either end use the row
    there, as Shaw et al. clip them.

    Args:
        query: [batch, heads, q_len, width], row 0 for the call's first query; usually the call's
            own queries plus a learned vector for each head.
        keys: [batch or 1, heads or 1, distances, width].
        farthest: the distance q − k of the first row of `keys`; negative for keys ahead.
        scale: the factor; None is `width ** -0.5`.

    Raises TypeError for tensors that are not floating-point and a `farthest` that is no integer,
    ValueError for other shapes. `check` raises ValueError when they do not fit the call.

    >>> import torch
    >>> from regard.score_mods import RelativeDot
    >>> RelativeDot(torch.ones(1, 1, 3, 4), torch.ones(1, 1, 5, 4), farthest=2)
    RelativeDot(float32[1, 1, 3, 4], float32[1, 1, 5, 4], farthest=2)

    References:
        Shaw, Uszkoreit & Vaswani. Self-Attention with Relative Position Representations. 2018.
        https://arxiv.org/abs/1803.02155
        Dai et al. Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context. 2019.
        https://arxiv.org/abs/1901.02860
    """

    query: Shaped[Tensor, "..."]
    keys: Shaped[Tensor, "..."]
    farthest: Count
    scale: float | None = None
    first_query: Offset | None = field(default=None, repr=False)  # what `aligned` found out

    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what are no vectors."""
        for name, tensor in (("query", self.query), ("keys", self.keys)):
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                kind = describe(tensor) if isinstance(tensor, Tensor) else type(tensor).__name__
                raise TypeError(f"RelativeDot needs {name} to be a floating tensor, got {kind}.")
            if tensor.ndim != 4:
                raise ValueError(
                    f"RelativeDot needs 4 dimensions of {name}, got {tensor.ndim}; give "
                    "[batch, heads, rows, width], of which keys may have batch 1 and heads 1."
                )
        if self.query.shape[3] != self.keys.shape[3]:
            raise ValueError(
                f"RelativeDot needs keys of width {self.query.shape[3]}, as the query has, got "
                f"{self.keys.shape[3]}; project both to one width."
            )
        hint = "give the distance of the first row of keys"
        farthest = count("RelativeDot", "farthest", self.farthest, -(2**62), hint)
        object.__setattr__(self, "farthest", farthest)
        object.__setattr__(self, "first_query", position("RelativeDot", self.first_query))
        if self.scale is not None:
            hint = "None is width ** -0.5"
            scale = number("RelativeDot", "scale", self.scale, above=-math.inf, hint=hint)
            object.__setattr__(self, "scale", scale)

    @property
    def factor(self) -> float:
        """What dot products are multiplied by."""
        return self.query.shape[3] ** -0.5 if self.scale is None else self.scale

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Add the dot products."""
        exact = torch.promote_types(score.dtype, torch.float32)
        row = rows_of("RelativeDot", self.query.shape[2], self.first_query, b, q)
        query = self.query[b, h, row].to(exact) * self.factor
        first = b.new_zeros((1,) * b.ndim)
        b, h = (first if self.keys.shape[axis] == 1 else index for axis, index in ((0, b), (1, h)))
        column = (self.farthest - (q - k)).clamp(0, self.keys.shape[2] - 1)
        if _is_grid(b, h, q, k):
            keys = self.keys[b, h].squeeze((2, 3)).to(exact)
            with _exactly(query):
                products = by_rows(query.squeeze(3), keys)
            shape = torch.broadcast_shapes(products.shape[:-1] + (1,), column.shape)
            added = products.expand(*shape[:-1], -1).gather(3, column.expand(shape))
        else:
            added = (query * self.keys[b, h, column].to(exact)).sum(-1)
        return (score.to(exact) + added).to(score.dtype)

    def aligned(self, q_offset: Offset) -> "RelativeDot":
        """Bind row 0 to the call's first query."""
        bound = bind_rows("RelativeDot", self.query, self.first_query, True, q_offset)
        return RelativeDot(bound[0], self.keys, self.farthest, self.scale, bound[1])

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless there is a vector for each query of the call, and one for each distance."""
        for tensor in (self.query, self.keys):
            check_device("RelativeDot", tensor, query)
        check_first_query("RelativeDot", self.first_query, query)
        if self.keys.shape[2] == 0 and query.shape[2] * key.shape[2] > 0:
            raise ValueError(
                f"RelativeDot has the vectors of 0 distances, and the call has {query.shape[2]} "
                f"queries and {key.shape[2]} keys; give at least 1."
            )
        axes = ("batch", 0), ("heads", 1), ("q_len", 2)
        for axis, at in axes:
            own, wanted = self.query.shape[at], query.shape[at]
            if own != wanted and not (at == 2 and self.first_query is not None and own > wanted):
                raise ValueError(
                    f"RelativeDot has {axis} {own} but the call has {axis} {wanted}; give it a "
                    "vector for every query."
                )
        for axis, at in axes[:2]:
            own, wanted = self.keys.shape[at], query.shape[at]
            if own not in (1, wanted):
                raise ValueError(
                    f"RelativeDot has keys of {axis} {own} but the call has {axis} {wanted}; give "
                    f"them {axis} {wanted}, or 1 to share them."
                )

    def __repr__(self) -> str:
        """Print what the tensors look like."""
        scale = "" if self.scale is None else f", scale={self.scale:g}"
        return (
            f"RelativeDot({describe(self.query)}, {describe(self.keys)}, farthest={self.farthest}"
            f"{scale}{show_position(self.first_query)})"
        )


def by_rows(
    query: Float[Tensor, "batch heads q_len width"], keys: Float[Tensor, "_ _ distances width"]
) -> Float[Tensor, "batch heads q_len distances"]:
    """The dot products of every query with the vector of every distance."""
    if keys.shape[0] != 1 or keys.shape[1] != query.shape[1]:
        return query @ keys.mT
    # One product for each head, of all sequences at once: nothing is repeated for a sequence.
    flat = rearrange(query, "batch heads q_len width -> heads (batch q_len) width")
    batch, heads, q_len, _ = query.shape
    return (flat @ keys[0].mT).view(heads, batch, q_len, keys.shape[2]).transpose(0, 1)


def _is_grid(b: Index, h: Index, q: Index, k: Index) -> bool:
    """Whether every one of some queries meets every one of some keys, as in dense evaluation."""
    if k.ndim != 4 or tuple(k.shape[:3]) != (1, 1, 1):
        return False
    return all(x.shape[3] == 1 for x in (b, h, q)) and b.shape[2] == h.shape[2] == 1


def _exactly(like: Tensor) -> "nullcontext[None] | torch.autocast":
    """Where products have the dtype of their factors, under autocast too."""
    if not is_any_autocast():
        return nullcontext()
    return torch.autocast(like.device.type, enabled=False)
