"""Factorization orders: in which order tokens are read, and which of them are predicted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

LONGEST_SPAN = 5
GIVEN = -1
"""The index of given tokens, which are not predicted."""


@dataclass(frozen=True)
class PartialOrder:
    """Sample a factorization order whose last tokens, one in K, are predicted.

        p(x) = prod_t p(x_{z_t} | x_{z_<t}),  of which the last n / K factors are learned

    The tokens before them are given, without an order: they all see one another. With `spans` the
    targets form spans: a span of 1 to 5 tokens, sampled with probabilities in the ratio
    1 : 1/2 : ... : 1/5, lies somewhere in a piece of the text of K times its length, and pieces are
    consecutive. The order among the targets is sampled afresh, with or without spans.

    Args:
        one_in: K.
        spans: whether the targets form spans.

    >>> order = PartialOrder(3).drawn(6, np.random.default_rng(0))
    >>> sorted(order.tolist())
    [-1, -1, -1, -1, 0, 1]

    References:
        Yang, Dai, Yang, Carbonell, Salakhutdinov & Le. XLNet: Generalized Autoregressive
        Pretraining for Language Understanding. 2019. https://arxiv.org/abs/1906.08237
    """

    one_in: int = 6
    spans: bool = True

    def count(self, length: int) -> int:
        """The number of targets among this many tokens: at least one."""
        return max(1, length // self.one_in)

    def drawn(self, length: int, rng: np.random.Generator) -> Int[np.ndarray, " length"]:
        """The index of each token in the order, -1 if given."""
        asked = self._in_spans(length, rng) if self.spans else np.zeros(length, dtype=bool)
        rest = rng.permutation(np.flatnonzero(~asked))
        asked[rest[: self.count(length) - int(asked.sum())]] = True
        order = np.full(length, GIVEN, dtype=np.int64)
        order[asked] = rng.permutation(int(asked.sum()))
        return order

    def _in_spans(self, length: int, rng: np.random.Generator) -> Bool[np.ndarray, " length"]:
        """What is asked for in spans, as many as fit; not more than shall be."""
        asked, left, begin = np.zeros(length, dtype=bool), self.count(length), 0
        sizes = np.arange(1, LONGEST_SPAN + 1)
        while left and begin < length:
            size = min(int(rng.choice(sizes, p=(1 / sizes) / (1 / sizes).sum())), left)
            before = int(rng.integers(size * self.one_in - size + 1))
            first = min(begin + before, length)
            last = min(first + size, length)
            asked[first:last] = True
            left -= last - first
            begin += size * self.one_in
        return asked
