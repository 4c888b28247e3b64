"""Patterns of attention heads, each scored from 0 to 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Seen:
    """One item of one layer, and what is known about its tokens.

    Args:
        weights: `[heads, q_len, k_len]`.
        tokens: a number for each token, the same for equal ones; None if unknown.
        separators: the positions of separator tokens.
        segments: a number for each token, the same within a segment.
        sinks: the positions of keys that may be sinks.
    """

    weights: Tensor
    tokens: Tensor | None
    separators: Sequence[int]
    segments: Tensor | None
    sinks: Sequence[int]

    @property
    def is_square(self) -> bool:
        """Whether there are as many queries as keys, so that they may be the same tokens."""
        return self.weights.shape[1] == self.weights.shape[2]

    @property
    def allowed(self) -> Tensor:
        """Where any head has a weight, `[q_len, k_len]`."""
        return (self.weights > 0).any(0)


Score = Tensor | None
"""A score for each head; None where a pattern cannot occur."""


def previous(seen: Seen) -> Score:
    """The mean weight on the previous token."""
    return _shifted(seen, -1)


def following(seen: Seen) -> Score:
    """The mean weight on the next token."""
    return _shifted(seen, 1)


def own(seen: Seen) -> Score:
    """The mean weight on the token itself; the first, which may see nothing else, is left out."""
    if not seen.is_square or seen.weights.shape[1] < 2:
        return None
    return seen.weights.diagonal(dim1=1, dim2=2)[:, 1:].mean(-1)


def sink(seen: Seen) -> Score:
    """The mean weight that other tokens put on the sinks."""
    return _on(seen, seen.sinks)


def separator(seen: Seen) -> Score:
    """The mean weight that other tokens put on separators."""
    return _on(seen, seen.separators)


def broad(seen: Seen) -> Score:
    """The mean entropy, relative to that of equal weights; of queries that see two or more keys."""
    return _mean_over(_spread(seen.weights, seen.allowed), seen.allowed.sum(-1) > 1)


def block(seen: Seen) -> Score:
    """The mean weight within the query's own segment, times how evenly it is spread there.

    For queries that see at least two keys in their segment, and others outside of it.
    """
    if seen.segments is None or not seen.is_square:
        return None
    inside = seen.segments[:, None] == seen.segments[None, :]
    within = seen.weights * inside
    mass = within.sum(-1)
    rows = within / mass.where(mass > 0, torch.ones_like(mass))[..., None]
    near, far = seen.allowed & inside, seen.allowed & ~inside
    counted = (near.sum(-1) > 1) & far.any(-1)
    return _mean_over(mass * _spread(rows, near), counted)


def induction(seen: Seen) -> Score:
    """The mean weight on tokens that followed an earlier occurrence of the query's token."""
    if seen.tokens is None or not seen.is_square:
        return None
    after = torch.zeros(len(seen.tokens), len(seen.tokens), dtype=torch.bool)
    after[:, 1:] = seen.tokens[:, None] == seen.tokens[None, :-1]
    return _on_earlier(seen, after)


def duplicate(seen: Seen) -> Score:
    """The mean weight on earlier occurrences of the query's own token."""
    if seen.tokens is None or not seen.is_square:
        return None
    return _on_earlier(seen, seen.tokens[:, None] == seen.tokens[None, :])


PATTERNS: dict[str, Callable[[Seen], Score]] = {
    "previous": previous,
    "next": following,
    "self": own,
    "sink": sink,
    "separator": separator,
    "broad": broad,
    "block": block,
    "induction": induction,
    "duplicate": duplicate,
}


def numbered(tokens: Sequence[Any]) -> Tensor:
    """A number for each token, the same for equal ones.

    >>> numbered(["a", "b", "a"])
    tensor([0, 1, 0])
    """
    known: dict[Any, int] = {}
    return torch.tensor([known.setdefault(each, len(known)) for each in tokens])


def _shifted(seen: Seen, by: int) -> Score:
    if not seen.is_square or seen.weights.shape[1] < 2:
        return None
    return seen.weights.diagonal(by, dim1=1, dim2=2).mean(-1)


def _on(seen: Seen, keys: Sequence[int]) -> Score:
    """The mean weight on these keys; of queries that are none of them, where they may be."""
    if not keys:
        return None
    counted = torch.ones(seen.weights.shape[1], dtype=torch.bool)
    if seen.is_square:
        counted[list(keys)] = False
    return _mean_over(seen.weights[:, :, list(keys)].sum(-1), counted)


def _on_earlier(seen: Seen, pairs: Tensor) -> Score:
    pairs = pairs.tril(-1).to(seen.weights.device)
    return _mean_over((seen.weights * pairs).sum(-1), pairs.any(-1))


def _spread(rows: Tensor, allowed: Tensor) -> Tensor:
    """Entropy as a share of that of equal weights on what is allowed; 0 of a single key."""
    count = allowed.sum(-1).clamp(min=2).to(rows.dtype)
    return torch.special.entr(rows).sum(-1) / count.log()


def _mean_over(values: Tensor, counted: Tensor) -> Score:
    """The mean of `[heads, queries]` over some queries; None if there is none."""
    counted = counted.to(values.device)
    return values[:, counted].mean(-1) if counted.any() else None
