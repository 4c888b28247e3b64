"""Gumbel noise: scores plus it have their arg max at key j with probability softmax(scores)_j."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard._numbers import count

BITS = 0xFFFFFFFF


def whole_seed(owner: str, seed: Any) -> int:
    """The seed as an int; it raises for anything that is none."""
    hint = "pass None to draw from torch's global generator"
    return count(owner, "seed", seed, least=-(1 << 63), hint=hint)


def gumbel(
    scores: Float[Tensor, "*rows k_len"],
    seed: int | None,
    heads: Any = slice(None),
    rows: Any = slice(None),
) -> Float[Tensor, "*rows k_len"]:
    """Noise `-log(-log(uniform))` for every score, always finite.

    Without a seed it comes from torch's global generator. With one it is a hash of the seed and the
    pair's place, the same however the matrix is cut: `heads` and `rows` say which part this is.
    """
    if seed is None:
        uniform = torch.rand_like(scores).clamp_min(torch.finfo(scores.dtype).tiny)
    else:
        # 23 bits and a half: never 0 or 1, and exact in float32.
        uniform = ((_hash(scores, seed, heads, rows) >> 9).to(scores.dtype) + 0.5) / (1 << 23)
    return -(-uniform.log()).log()


def _hash(scores: Tensor, seed: int, heads: Any, rows: Any) -> Tensor:
    """32 random bits per pair, in int64."""
    places = {scores.ndim - 3: heads, scores.ndim - 2: rows}
    bits = _mix(torch.full((), seed & BITS, dtype=torch.int64, device=scores.device))
    for axis, size in enumerate(scores.shape):
        index = _indices(places.get(axis, slice(None)), size, scores.device)
        lead_and_trail = [size if other == axis else 1 for other in range(scores.ndim)]
        bits = _mix(bits ^ index.reshape(lead_and_trail))
    return bits


def _indices(selected: Any, size: Any, device: torch.device) -> Tensor:
    """Places along one axis, of which a slice or a list of indices was selected."""
    if isinstance(selected, slice):
        start, step = selected.start or 0, selected.step or 1
        return torch.arange(size, device=device) * step + start
    return torch.as_tensor(selected, device=device).reshape(size)


def _mix(bits: Tensor) -> Tensor:
    """A bijection of 32-bit numbers that mixes well (Wellons, hash-prospector), in int64."""
    bits = ((bits ^ (bits >> 16)) * 0x21F0AAAD) & BITS
    bits = ((bits ^ (bits >> 15)) * 0x735A2D97) & BITS
    return bits ^ (bits >> 15)
