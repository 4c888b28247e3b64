"""`sum v tanh(q + k)` for all pairs of queries and keys in float32, and its gradients.

A pair and a number of its vectors cost a product, a sum and half a quotient: the tensor `q x k x
width`, which the written-out formula makes, never exists, forward or backward.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from regard._kernels.in_memory import in_memory
from regard._kernels.installed import loops
from regard._kernels.slices import in_slices

COLUMNS = 512
"""Of so many a gradient is taken at once, and each of its numbers is summed by one thread."""


class Exponentials(NamedTuple):
    """`exp(2x)` of vectors, the vectors, and which of them are too far from zero for it."""

    values: Float[Tensor, "*rows width"]
    vectors: Float[Tensor, "*rows width"]
    far: UInt8[Tensor, "*rows"]


def exponentials(vectors: Float[Tensor, "*rows width"]) -> Exponentials:
    """What `scores` and `gradients` need of queries and of keys.

    >>> exponentials(torch.zeros(2, 3)).values.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    vectors = in_memory(vectors.detach())
    width = vectors.shape[-1]
    values = torch.empty_like(vectors)
    far = torch.empty(vectors.shape[:-1], dtype=torch.uint8)
    if vectors.numel():
        in_slices(
            loops("exponentials").exponentials,
            values.data_ptr(), far.data_ptr(), vectors.data_ptr(), width,
            far.numel(), outputs=far.numel(), size=4 * vectors.numel(),
        )  # fmt: skip
    return Exponentials(values, vectors, far)


def scores(
    query: Exponentials, key: Exponentials, v: Float[Tensor, " width"]
) -> Float[Tensor, "batch heads q_len k_len"]:
    """The scores of all pairs; queries `[batch heads q_len width]`, as many heads of keys."""
    *lead, q_len, width = query.values.shape
    k_len = key.values.shape[-2]
    out = query.values.new_empty(*lead, q_len, k_len)
    if width == 0 or out.numel() == 0:
        return out.zero_()
    heads = out.numel() // (q_len * k_len)
    v = in_memory(v.detach())
    in_slices(
        loops("tanh_loops").scores, out.data_ptr(), query.values.data_ptr(), query.far.data_ptr(),
        query.vectors.data_ptr(), key.values.data_ptr(), key.far.data_ptr(),
        key.vectors.data_ptr(), v.data_ptr(), q_len, k_len, width, heads,
        outputs=heads * q_len, size=out.numel() * width,
    )  # fmt: skip
    return out


def gradients(
    upstream: Float[Tensor, "batch heads q_len k_len"],
    query: Exponentials,
    key: Exponentials,
    v: Float[Tensor, " width"],
) -> tuple[
    Float[Tensor, "*queries width"],
    Float[Tensor, "*keys width"],
    Float[Tensor, " width"],
]:
    """The gradients to queries, keys and `v`: none of a pair that has none, whatever it holds.

    Queries may be of more heads than keys, which then look at those of one head in turn.
    """
    q_len, k_len, width = *upstream.shape[-2:], v.shape[0]
    to_query, to_key = torch.zeros_like(query.values), torch.zeros_like(key.values)
    if width == 0 or upstream.numel() == 0:
        return to_query, to_key, torch.zeros_like(v)
    heads, blocks = upstream.numel() // (q_len * k_len), -(-width // COLUMNS)
    upstream, v = in_memory(upstream), in_memory(v.detach())
    to_v = torch.zeros(heads, width, dtype=torch.float64)
    in_slices(
        loops("tanh_loops").gradients, to_query.data_ptr(), to_key.data_ptr(), to_v.data_ptr(),
        upstream.data_ptr(), query.values.data_ptr(), query.far.data_ptr(),
        query.vectors.data_ptr(), key.values.data_ptr(), key.far.data_ptr(),
        key.vectors.data_ptr(), v.data_ptr(), q_len, k_len, width, heads,
        outputs=heads * blocks, size=2 * upstream.numel() * width,
    )  # fmt: skip
    return to_query, to_key, to_v.sum(0).float()
