"""Which pairs cannot get weight, and scores that are safe to normalize."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._torch_private import surely


def close(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None
) -> tuple[Float[Tensor, "*rows k_len"], Bool[Tensor, "*rows k_len"]]:
    """Scores that are safe to normalize, and the pairs that must end with weight 0.

    A pair is closed when it is forbidden or when its score is -inf. Closed scores become -inf
    before any arithmetic, so whatever lies under the mask (NaN, inf, 1e38) reaches neither the
    weights nor a gradient. In a row that is closed everywhere they become 0 instead: the softmax
    of such a row is finite, and the caller's final `masked_fill(closed, 0)` makes it zero.

    Scores in half precision come back in float32; `in_dtype_of` takes the weights back.
    """
    closed = closed_pairs(scores, where)
    dead = closed.all(dim=-1, keepdim=True)
    scores = at_least_float32(scores)
    floor = torch.zeros_like(dead, dtype=scores.dtype).masked_fill(~dead, -torch.inf)
    return torch.where(closed, floor, scores), closed


def closed_pairs(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None
) -> Bool[Tensor, "*rows k_len"]:
    """The pairs that are forbidden or whose score is -inf."""
    closed = scores == -torch.inf
    return closed if where is None else closed | ~where


def without_garbage(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None
) -> tuple[Float[Tensor, "*rows k_len"], Bool[Tensor, "*rows k_len"]]:
    """The same call with 0 for every closed score, which may then be divided by what learns."""
    closed = closed_pairs(scores, where)
    return scores.masked_fill(closed, 0.0), ~closed


def at_least_float32(scores: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The same scores, those in half precision as float32."""
    return scores.float() if scores.dtype.itemsize < 4 else scores


def in_dtype_of(
    scores: Float[Tensor, "..."], weights: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """The weights in the dtype of the scores, without `to` where nothing is due: it takes 6 µs."""
    return weights if weights.dtype == scores.dtype else weights.to(scores.dtype)


def without_keys(scores: Float[Tensor, "*rows k_len"]) -> bool:
    """Whether there is no key at all; a graph recorded for unknown lengths is for some keys."""
    k_len = scores.shape[-1]  # a tensor under `torch.jit.trace`
    return not isinstance(k_len, Tensor) and surely(k_len == 0)
