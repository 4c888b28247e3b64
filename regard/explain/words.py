"""From sub-words to words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain.explanation import Explanation

Span = tuple[int, int]


@dataclass(frozen=True)
class Words:
    """Which tokens form each word: its first token, and the one after its last.

    Every token belongs to a word; a special token, such as `[CLS]`, is a word of its own.

    Raises:
        ValueError: spans that are not contiguous from token 0.

    Example:
        >>> Words(((0, 1), (1, 4))).tokens
        4
    """

    spans: tuple[Span, ...]

    def __post_init__(self) -> None:
        end = 0
        for start, stop in self.spans:
            if start != end or stop <= start:
                raise ValueError(
                    f"words follow one another: the span ({start}, {stop}) does not begin at token "
                    f"{end} and end behind it."
                )
            end = stop

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return self.spans[-1][1] if self.spans else 0

    @property
    def of_each(self) -> list[int]:
        """The index of the word of each token."""
        return [n for n, (start, stop) in enumerate(self.spans) for _ in range(start, stop)]

    def __len__(self) -> int:
        return len(self.spans)


def words_of_ids(word_ids: Sequence[int | None]) -> Words:
    """The words of a tokenizer's `word_ids`: adjacent tokens with the same id form one.

    Raises:
        TypeError: anything other than integers and None.

    Example:
        >>> words_of_ids([None, 0, 1, 1, None, 0]).spans
        ((0, 1), (1, 2), (2, 4), (4, 5), (5, 6))
    """
    for each in word_ids:
        if each is not None and (isinstance(each, bool) or not isinstance(each, int)):
            raise TypeError(f"word_ids are whole numbers or None, got {each!r}.")
    starts = [
        place
        for place, word in enumerate(word_ids)
        if place == 0 or word is None or word != word_ids[place - 1]
    ]
    return words_of_starts(starts, len(word_ids))


def words_of_offsets(text: str, offsets: Sequence[Span]) -> Words:
    """The space-separated words of a text, by each token's offsets, `(start, stop)` in characters.

    A token belongs to the word of its first non-space character, so that tokens with a leading
    space, as in byte-level BPE, are handled correctly. A token that covers nothing, or only
    spaces, is a word of its own.

    Raises:
        ValueError: a token whose offsets are outside the text.

    Example:
        >>> words_of_offsets("un do it", [(0, 0), (0, 1), (1, 2), (2, 5), (5, 8)]).spans
        ((0, 1), (1, 3), (3, 4), (4, 5))
    """
    word_at = [-1] * len(text)
    for number, word in enumerate(re.finditer(r"\S+", text)):
        for place in range(*word.span()):
            word_at[place] = number
    ids: list[int | None] = []
    for number, (start, stop) in enumerate(offsets):
        if not 0 <= start <= stop <= len(text):
            raise ValueError(
                f"token {number} covers ({start}, {stop}) of a text of {len(text)} characters; "
                "give the text that was cut into these tokens."
            )
        ids.append(next((word for word in word_at[start:stop] if word >= 0), None))
    return words_of_ids(ids)


def merge_words(
    weights: Float[Tensor, "*batch q_len k_len"] | Any,
    queries: Words | None,
    keys: Words | None,
) -> Explanation:
    """Weights between words: the sum over a word's keys, the mean over a word's queries.

        m_ab = 1 / |a| Σ_{q in a} Σ_{k in b} w_qk

    A row that summed to one still does.

    Args:
        weights: of one or several layers or items, all with these words; or an `Explanation` whose
            last axes are `query` and `key`.
        queries: the words of the rows; None leaves the rows unmerged.
        keys: the words of the columns, likewise.

    Returns:
        With the axes `query` and `key` last; the others keep their names, or are named `batch_0`
        and so on.

    Raises:
        ValueError, TypeError: not a matrix, or words with another number of tokens.

    Example:
        >>> w = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.6, 0.4], [1.0, 0.0, 0.0]])
        >>> words = Words(((0, 1), (1, 3)))
        >>> merge_words(w, words, words).values
        tensor([[0.2000, 0.8000],
                [0.5000, 0.5000]])
    """
    matrix = weights.values if isinstance(weights, Explanation) else weights
    if not isinstance(matrix, Tensor) or matrix.ndim < 2 or not matrix.is_floating_point():
        shape = f"{[*matrix.shape]} of {matrix.dtype}" if isinstance(matrix, Tensor) else "none"
        raise TypeError(
            f"merge_words needs a floating-point tensor [..., q_len, k_len], got {shape}."
        )
    if isinstance(weights, Explanation):
        axes = weights.axes
        if axes[-2:] != ("query", "key"):
            raise ValueError(f"merge_words needs query and key as the last axes, got {axes}.")
    else:
        axes = (*(f"batch_{n}" for n in range(matrix.ndim - 2)), "query", "key")
    if keys is not None:
        matrix = matrix @ _members(keys, matrix, "key", matrix.shape[-1])
    if queries is not None:
        rows = _members(queries, matrix, "query", matrix.shape[-2])
        matrix = (rows / rows.sum(0)).mT @ matrix
    return Explanation(matrix, axes)


def _members(words: Words, like: Tensor, axis: str, size: int) -> Tensor:
    """1 where a token is of a word, `[tokens, words]`."""
    if words.tokens != size:
        raise ValueError(
            f"merge_words: the {axis} words have {words.tokens} tokens, and the weights {size}; "
            "give the words of this very text, special tokens among them."
        )
    word = torch.tensor(words.of_each)
    return torch.eye(len(words), dtype=like.dtype)[word].to(like.device)


def words_of_starts(starts: Sequence[int], count: int) -> Words:
    """The words of this many tokens, by the first token of each."""
    return Words(tuple(zip(starts, [*starts[1:], count], strict=False)))
