"""Weights drawn at random, sharp and flat, under masks, with rows that see nothing."""

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor


def weights(
    *shape: int, causal: bool = False, dead: Sequence[int] = (), sharp: float = 2.0, seed: int = 0
) -> Tensor:
    """Softmax of normal numbers, in float64; `[..., q, k]`."""
    generator = torch.Generator().manual_seed(seed)
    scores = sharp * torch.randn(*shape, generator=generator, dtype=torch.float64)
    if causal:
        allowed = torch.ones(shape[-2:], dtype=torch.bool).tril(shape[-1] - shape[-2])
        scores = scores.masked_fill(~allowed, -torch.inf)
    found = torch.softmax(scores, -1)
    for row in dead:
        found[..., row, :] = 0.0
    return found


@st.composite
def stacks(draw: st.DrawFn) -> Tensor:
    """`[layers, batch, heads, n, n]` of any kind."""
    layers, batch, heads, n = (draw(st.integers(1, most)) for most in (4, 2, 3, 6))
    dead = draw(st.lists(st.integers(0, n - 1), max_size=2))
    return weights(
        layers, batch, heads, n, n,
        causal=draw(st.booleans()), dead=dead, sharp=draw(st.sampled_from([0.0, 1.0, 9.0])),
        seed=draw(st.integers(0, 999)),
    )  # fmt: skip
