"""Which pairs cannot get weight, and scores that are safe to normalize."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def close(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None
) -> tuple[Float[Tensor, "*rows k_len"], Bool[Tensor, "*rows k_len"]]:
    """Scores that are safe to normalize, and the pairs that must end with weight 0.

    A pair is closed when it is forbidden or when its score is -inf. Closed scores become -inf
    before any arithmetic, so whatever lies under the mask (NaN, inf, 1e38) reaches neither the
    weights nor a gradient. In a row that is closed everywhere they become 0 instead: the softmax
    of such a row is finite, and the caller's final `masked_fill(closed, 0)` makes it zero.
    """
    closed = scores == -torch.inf
    if where is not None:
        closed = closed | ~where
    dead = closed.all(dim=-1, keepdim=True)
    floor = torch.zeros_like(dead, dtype=scores.dtype).masked_fill(~dead, -torch.inf)
    return torch.where(closed, floor, scores), closed
