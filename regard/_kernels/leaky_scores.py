"""`sum v LeakyReLU(q + k)` for all pairs of queries and keys in float32, and its gradients.

The tensor `q x k x width`, which the written-out formula makes, never exists.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from regard._kernels.in_memory import in_memory
from regard._kernels.installed import loops
from regard._kernels.slices import in_slices

COLUMNS = 512
"""Of so many a gradient is taken at once, and each of its numbers is summed by one thread."""


FEW = 3
"""Queries up to which one operation more for a pair takes less than a pass over the keys."""


def scores(
    query: Float[Tensor, "batch heads q_len width"],
    key: Float[Tensor, "batch heads k_len width"],
    v: Float[Tensor, " width"],
    slope: float,
) -> Float[Tensor, "batch heads q_len k_len"]:
    """The scores of all pairs; of as many heads of keys as of queries.

    >>> one = torch.ones(1, 1, 1, 2)
    >>> scores(one, -2 * one, torch.ones(2), 0.5)
    tensor([[[[-1.]]]])
    """
    *lead, q_len, width = query.shape
    k_len = key.shape[-2]
    out = query.new_empty(*lead, q_len, k_len)
    if width == 0 or out.numel() == 0:
        return out.zero_()
    query, key, v = (in_memory(x.detach()) for x in (query, key, v))
    heads = out.numel() // (q_len * k_len)
    slopes = _slopes(slope)
    if q_len <= FEW and 0 < slope < 1:
        in_slices(
            loops("leaky_loops").few_scores, out.data_ptr(), query.data_ptr(), key.data_ptr(),
            v.data_ptr(), slopes.data_ptr(), q_len, k_len, width, heads,
            outputs=heads * q_len, size=out.numel() * width,
        )  # fmt: skip
        return out
    of_query, of_key = _dots(query, v), _dots(key, v)
    in_slices(
        loops("leaky_loops").scores,
        out.data_ptr(), query.data_ptr(), of_query.data_ptr(), key.data_ptr(),
        of_key.data_ptr(), v.data_ptr(), slopes.data_ptr(), q_len, k_len, width, heads,
        outputs=heads * q_len, size=out.numel() * width,
    )  # fmt: skip
    return out


def gradients(
    upstream: Float[Tensor, "batch heads q_len k_len"],
    query: Float[Tensor, "batch heads q_len width"],
    key: Float[Tensor, "batch heads k_len width"],
    v: Float[Tensor, " width"],
    slope: float,
) -> tuple[
    Float[Tensor, "batch heads q_len width"],
    Float[Tensor, "batch heads k_len width"],
    Float[Tensor, " width"],
]:
    """The gradients to queries, keys and `v`: none of a pair that has none, whatever it holds."""
    q_len, k_len, width = *upstream.shape[-2:], v.shape[0]
    query, key, v = (in_memory(x.detach()) for x in (query, key, v))
    to_query, to_key = torch.zeros_like(query), torch.zeros_like(key)
    if width == 0 or upstream.numel() == 0:
        return to_query, to_key, torch.zeros_like(v)
    heads, blocks = upstream.numel() // (q_len * k_len), -(-width // COLUMNS)
    upstream, negated, slopes = in_memory(upstream), key.neg(), _slopes(slope)
    to_v = torch.zeros(heads, width, dtype=torch.float64)
    in_slices(
        loops("leaky_gradients").gradients, to_query.data_ptr(), to_key.data_ptr(), to_v.data_ptr(),
        upstream.data_ptr(), query.data_ptr(), key.data_ptr(), negated.data_ptr(), v.data_ptr(),
        slopes.data_ptr(), q_len, k_len, width, heads,
        outputs=heads * blocks, size=2 * upstream.numel() * width,
    )  # fmt: skip
    return to_query, to_key, to_v.sum(0).float()


def _dots(vectors: Tensor, v: Tensor) -> Tensor:
    """The products with `v` in float64, `[rows]`."""
    width = v.shape[0]
    rows = vectors.numel() // width
    found = torch.empty(rows, dtype=torch.float64)
    in_slices(
        loops("leaky_loops").dots, found.data_ptr(), vectors.data_ptr(), v.data_ptr(), width, rows,
        outputs=rows, size=4 * vectors.numel(),
    )  # fmt: skip
    return found


@lru_cache(16)
def _slopes(slope: float) -> Tensor:
    """That of the linear half, and what is added to it above zero."""
    return torch.tensor([slope, 1 - slope], dtype=torch.float64)
