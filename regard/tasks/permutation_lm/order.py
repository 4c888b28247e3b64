"""In which order the tokens of a text are read, and which of them are to be said."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

LONGEST_SPAN = 5
GIVEN = -1
"""The number of what is not asked for, and known from the beginning."""


@dataclass(frozen=True)
class PartialOrder:
    """Draw a factorization order whose last tokens, one in K, are to be said.

        p(x) = prod_t p(x_{z_t} | x_{z_<t}),  of which the last n / K factors are learned

    What comes before them is given, and in no order of its own: all of it sees all of it. With
    `spans` what is asked for stands together: a span of 1 to 5 tokens, drawn with probabilities
    in the ratio 1 : 1/2 : ... : 1/5, stands somewhere in a piece of the text of K times its length,
    and one piece follows upon the other. The order among the tokens that are asked for is drawn
    anew, spans or not.

    Args:
        one_in: K.
        spans: whether tokens are asked for in spans.

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
        """How many tokens of so many are asked for: one at least."""
        return max(1, length // self.one_in)

    def drawn(self, length: int, rng: np.random.Generator) -> Int[np.ndarray, " length"]:
        """The number of each token in the order, -1 for what is given."""
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
