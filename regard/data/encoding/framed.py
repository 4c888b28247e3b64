"""The special tokens that a tokenizer puts around a text and around a pair, such as `[CLS]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

import numpy as np

from regard.data.encoding.ragged import Ragged

PROBE = "a"
"""A text that every tokenizer has a token for."""


@dataclass(frozen=True)
class Frame:
    """What stands in front of a text, behind the first text of a pair, and at the end.

    A pair is read as `before left between right behind`, a single text as `before text behind`.

    Args:
        alone: those that are of a segment of their own, neither of the texts', as XLNet's `<cls>`.

    >>> Frame((101,), (102,), (102,)).size
    2
    """

    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()

    @classmethod
    def of(cls, inner: Any) -> "Frame":
        """That of a tokenizer of the package, as it frames a pair; an empty one if it does not."""
        encoding = inner.encode(PROBE, PROBE, add_special_tokens=True)
        marked = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        runs = [(mark, [n for n, _ in run]) for mark, run in groupby(marked, lambda each: each[1])]
        texts = [place for place, (mark, _) in enumerate(runs) if not mark]
        if len(texts) != 2:
            return cls()
        first, second = texts
        around = (runs[:first], runs[first + 1 : second], runs[second + 1 :])
        before, between, behind = (tuple(n for _, run in some for n in run) for some in around)
        kinds = list(zip(encoding.ids, encoding.type_ids, strict=True))
        known = {
            kind
            for (_, kind), mark in zip(kinds, encoding.special_tokens_mask, strict=True)
            if not mark
        }
        alone = tuple(dict.fromkeys(n for n, kind in kinds if kind not in known))
        return cls(before, between, behind, alone)

    @property
    def single(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What stands in front of a single text, and behind it."""
        return self.before, self.behind

    @property
    def size(self) -> int:
        """Special tokens around a single text."""
        return len(self.before) + len(self.behind)

    def __bool__(self) -> bool:
        return bool(self.before or self.between or self.behind)


@runtime_checkable
class ReadsText(Protocol):
    """A `Tokenizer`, or something around one."""

    def encode(self, texts: Sequence[str], longest: int | None = None) -> Ragged: ...

    def tokens(self, numbers: Sequence[int]) -> list[str]: ...

    def unknown(self, text: str, longest: int | None = None) -> list[str]: ...


@dataclass(frozen=True, eq=False)
class Framed:
    """What reads texts, and puts these tokens around each; a text without a token stays empty.

    Args:
        most: tokens of a row, whatever else may be longer.

    >>> from regard.data.encoding.tokenizer import Tokenizer
    >>> reader = Framed(Tokenizer.train(["abc"], "characters"), (2,), (3,))
    >>> reader.tokens(reader.encode(["abcabc"], longest=4).values.tolist())
    ['<s>', 'a', 'b', '</s>']
    """

    inner: ReadsText
    before: tuple[int, ...]
    behind: tuple[int, ...]
    most: int | None = None

    def encode(self, texts: Sequence[str], longest: int | None = None) -> Ragged:
        """The numbers of each text; of a long one the beginning, its end marked all the same."""
        rows = self.inner.encode(texts, longest)
        before, behind = (np.array(each, dtype=np.int32) for each in (self.before, self.behind))
        empty = np.zeros(0, dtype=np.int32)
        framed = [each for row in rows if len(row) for each in (before, row, behind)]
        lengths = rows.lengths + (rows.lengths > 0) * (len(before) + len(behind))
        found = Ragged(
            np.concatenate(framed or [empty]).astype(np.int32),
            np.concatenate([[0], np.cumsum(lengths.astype(np.int64))]),
        )
        return found if longest is None else self.cut(found, longest)

    def cut(self, rows: Ragged, longest: int) -> Ragged:
        """Rows without what is behind the first tokens, but with what ends every row.

        Raises `ValueError` where no token of the text would be left.
        """
        longest = longest if self.most is None else min(longest, self.most)
        around = len(self.before) + len(self.behind)
        if longest <= around:
            raise ValueError(
                f"longest is {longest}, and {around} special tokens stand around each text; "
                f"give at least {around + 1}"
            )
        return rows.cut(longest, len(self.behind))

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each number as a piece to look at."""
        return self.inner.tokens(numbers)

    def unknown(self, text: str, longest: int | None = None) -> list[str]:
        """The distinct parts of a text that are read as unknown, sorted."""
        return self.inner.unknown(text, longest)
