"""The special tokens that a tokenizer adds around a text or a pair, such as `[CLS]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from regard.data.encoding.ragged import Ragged

PROBE = "a"
"""A text that every tokenizer has a token for."""


@dataclass(frozen=True)
class Frame:
    """The special tokens before a text, between the texts of a pair, and at the end.

    A pair is encoded as `before left between right behind`, a text as `before text behind`.

    Args:
        alone: those with a segment of their own, such as XLNet's `<cls>`.

    >>> Frame((101,), (102,), (102,)).size
    2
    """

    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()

    @classmethod
    def of(cls, inner: Any) -> "Frame":
        """The frame of a tokenizer of the package; empty if it has none.

        Around a pair stands what stands around one text, as some are said how to frame that alone.
        """
        single = _around(inner.encode(PROBE, add_special_tokens=True))
        encoding = inner.encode(PROBE, PROBE, add_special_tokens=True)
        pair = _around(encoding)
        if len(single) != 2 or len(pair) != 3:
            return cls()
        (before, behind), between = single, pair[1]
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
        """The special tokens before and after a single text."""
        return self.before, self.behind

    @property
    def size(self) -> int:
        """The number of special tokens around a single text."""
        return len(self.before) + len(self.behind)

    def __bool__(self) -> bool:
        return bool(self.before or self.between or self.behind)


def _around(encoding: Any) -> list[tuple[int, ...]]:
    """The special tokens before, between and behind the texts of an encoding."""
    found: list[tuple[int, ...]] = [()]
    last = None
    for number, text in zip(encoding.ids, encoding.sequence_ids, strict=True):
        if text is None:
            found[-1] += (number,)
        elif text != last:
            found.append(())
            last = text
    return found


@runtime_checkable
class ReadsText(Protocol):
    """A `Tokenizer`, or a wrapper of one."""

    def encode(self, texts: Sequence[str], longest: int | None = None) -> Ragged: ...

    def tokens(self, numbers: Sequence[int]) -> list[str]: ...

    def unknown(self, text: str, longest: int | None = None) -> list[str]: ...


@dataclass(frozen=True, eq=False)
class Framed:
    """An encoder that adds these special tokens around each text; empty texts stay empty.

    Args:
        most: maximum tokens of a row, including special tokens.

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
        """The ids of each text; a long one is truncated, but keeps its end tokens."""
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
        """Truncated rows, with the end tokens of every row.

        Raises `ValueError` if no token of the text would be left.
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
        """Each id as a readable piece."""
        return self.inner.tokens(numbers)

    def unknown(self, text: str, longest: int | None = None) -> list[str]:
        """The distinct unknown parts of a text, sorted."""
        return self.inner.unknown(text, longest)
