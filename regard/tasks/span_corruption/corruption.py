"""Spans of a text left out: what is read instead, what is to be written, and the text again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Corruption:
    """How much of a text is left out, and in how many pieces.

    Args:
        density: share of the tokens that are left out.
        span: tokens of a span, on average.
    """

    density: float = 0.15
    span: float = 3.0

    def counts(self, length: int) -> tuple[int, int]:
        """How many tokens of so many are left out, and in how many spans.

        >>> Corruption().counts(568)
        (85, 28)
        """
        left_out = min(max(round(length * self.density), 1), length - 1)
        spans = min(max(round(left_out / self.span), 1), left_out, length - left_out)
        return left_out, spans

    def lengths(self, length: int) -> tuple[int, int]:
        """How long a text of so many tokens is to read and to write, an end behind each."""
        left_out, spans = self.counts(length)
        return length - left_out + spans + 1, left_out + spans + 1

    def length_for(self, read: int) -> int:
        """How long a text may be of which at most `read` tokens are read.

        Of 512 tokens to read there are 568 of the text, and 114 to write, as published.

        Raises `ValueError` where fewer than 2 would be left.

        >>> Corruption().length_for(512), Corruption().lengths(568)
        (568, (512, 114))
        """
        length = max(2, read)
        while length > 2 and self.lengths(length)[0] > read:
            length -= 1
        while self.lengths(length + 1)[0] <= read:
            length += 1
        if self.lengths(length)[0] > read:
            raise ValueError(
                f"{read} tokens to read are too few for a text with a gap; give at least "
                f"{self.lengths(2)[0]}"
            )
        return length

    def mask(self, length: int, rng: np.random.Generator) -> Bool[np.ndarray, " length"]:
        """Which of so many tokens are left out: spans with something kept before each.

        How many tokens there are in each span, and between two, is drawn evenly from all ways to
        cut them into so many pieces.
        """
        left_out, spans = self.counts(length)
        kept, gone = (_pieces(total, spans, rng) for total in (length - left_out, left_out))
        pieces = np.stack([kept, gone], axis=1).reshape(-1)
        return np.repeat(np.arange(len(pieces)) % 2 == 1, pieces)


def corrupted(
    tokens: Int[np.ndarray, " length"],
    mask: Bool[np.ndarray, " length"],
    sentinels: Int[np.ndarray, " most"],
) -> tuple[Int[np.ndarray, " read"], Int[np.ndarray, " written"]]:
    """What is read, a sentinel in the place of each span, and what is to be written.

    Written is each span behind the sentinel that stands for it.

    >>> tokens, mask = np.arange(6), np.array([False, True, True, False, False, True])
    >>> corrupted(tokens, mask, np.array([99, 98]))
    (array([ 0, 99,  3,  4, 98]), array([99,  1,  2, 98,  5]))
    """
    begins = mask & ~np.concatenate([[False], mask[:-1]])
    starts = np.flatnonzero(begins)
    marked = np.where(begins, sentinels[np.maximum(begins.cumsum() - 1, 0)], tokens)
    read = marked[~mask | begins]
    behind = mask.cumsum()[starts] - 1
    return read, np.insert(tokens[mask], behind, sentinels[: len(starts)])


def restored(read: Sequence[int], written: Sequence[int], sentinels: Sequence[int]) -> list[int]:
    """The text again: in the place of each sentinel what is written behind it.

    A sentinel that nothing is written behind leaves no trace, and what is written before the first
    one is left out.

    >>> restored([0, 99, 3, 4, 98], [99, 1, 2, 98, 5], [99, 98])
    [0, 1, 2, 3, 4, 5]
    """
    spans: dict[int, list[int]] = {sentinel: [] for sentinel in sentinels}
    last: list[int] = []
    for token in written:
        if token in spans:
            last = spans[token]
        else:
            last.append(token)
    return [each for token in read for each in spans.get(token, [token])]


def _pieces(total: int, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
    """The sizes of so many pieces, none of which is empty, of so many things."""
    cuts = np.sort(rng.permutation(total - 1)[: count - 1]) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))
