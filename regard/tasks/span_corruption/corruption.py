"""Removing spans of a text: the corrupted input, the target, and the restored text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Corruption:
    """How much of a text is removed, and in how many spans.

    Args:
        density: fraction of the tokens that are removed.
        span: mean length of a span, in tokens.
    """

    density: float = 0.15
    span: float = 3.0

    def counts(self, length: int) -> tuple[int, int]:
        """How many tokens of this many are removed, and in how many spans.

        >>> Corruption().counts(568)
        (85, 28)
        """
        left_out = min(max(round(length * self.density), 1), length - 1)
        spans = min(max(round(left_out / self.span), 1), left_out, length - left_out)
        return left_out, spans

    def lengths(self, length: int) -> tuple[int, int]:
        """The input and target lengths for a text of this many tokens, including `</s>`."""
        left_out, spans = self.counts(length)
        return length - left_out + spans + 1, left_out + spans + 1

    def length_for(self, read: int) -> int:
        """The maximum length of a text whose input has at most `read` tokens.

        An input of 512 tokens corresponds to 568 tokens of text, and a target of 114, as published.

        Raises `ValueError` if fewer than 2 would be left.

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
        """Which of this many tokens are removed: spans, each preceded by kept tokens.

        The lengths of the spans, and of the gaps between them, are sampled uniformly from all ways
        to split the tokens into this many pieces.
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
    """The input, with a sentinel token in place of each span, and the target.

    The target is each span after its sentinel token.

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
    """The restored text: each sentinel token replaced by the output after it.

    A sentinel token without output is removed, and output before the first one is ignored.

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
