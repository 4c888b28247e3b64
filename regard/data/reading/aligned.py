"""Words and their tags in two cells of a row: as many of the one as of the other, in every row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from regard.data.reading.profile import NEARLY, Holds, Profile, is_missing

SURE_FROM = 20
"""Rows of as many words as tags that can hardly be so by chance."""
SEVERAL = 1.5
"""Words of a row on average, below which a tag is that of the whole text."""
WRITTEN = (Holds.TEXT, Holds.NAME, Holds.LABEL)
"""What a column is that has words, or their tags, as one text."""
_TAG = re.compile(r"[A-Z][A-Z0-9_:$+-]*|[BIESLU]-\w+|[^\w\s]+")
"""A tag as tag sets spell them: `NOUN`, `B-per`, `PRP$`; a mark is tagged by itself."""


@dataclass(frozen=True)
class Aligned:
    """A column of words and one of their tags, and whether that is sure by what they hold."""

    words: str
    tags: str
    sure: bool


@dataclass(frozen=True)
class _Split:
    counts: tuple[int, ...]
    pieces: tuple[str, ...]

    @property
    def distinct(self) -> int:
        return len(set(self.pieces))


def aligned_columns(
    profiles: Sequence[Profile], values: Mapping[str, Sequence[Any]]
) -> tuple[Aligned, ...]:
    """The columns that hold words and the tags of these, by spaces alone.

    >>> from regard.data.reading.profile import profile
    >>> held = {"a": ["it rains", "so it does"], "b": ["PRON VERB", "ADV PRON VERB"]}
    >>> aligned_columns([profile(name, some) for name, some in held.items()], held)
    (Aligned(words='a', tags='b', sure=False),)
    """
    told = [p for p in profiles if p.distinct > 1 or p.filled < SURE_FROM]
    several = [p for p in told if p.holds in (*WRITTEN, Holds.LISTED) and p.words >= SEVERAL]
    split = {p.name: _split(values[p.name]) for p in several}
    split = {p.name: split[p.name] for p in several if _is_spaced(p, split[p.name])}
    found = tuple(_pairs(split))
    tags = {each.tags for each in found}
    return tuple(each for each in found if each.words not in tags)


def same_counts(one: Sequence[Any], two: Sequence[Any]) -> bool:
    """Whether nearly every row has as many words in one column as in the other."""
    return _alike(_split(one), _split(two))


def _pairs(split: Mapping[str, _Split]) -> Iterator[Aligned]:
    for (one, words), (two, tags) in permutations(split.items(), 2):
        if not _alike(words, tags):
            continue
        few = tags.distinct * 2 <= min(words.distinct, len(tags.pieces))
        spelled = all(map(_TAG.fullmatch, tags.pieces)) and tags.distinct < words.distinct
        if few or spelled:
            rows = sum(map(bool, tags.counts))
            certain = len({*tags.counts}) > 1 or (spelled and "O" in tags.pieces)
            yield Aligned(one, two, few and rows >= SURE_FROM and certain)


def _is_spaced(column: Profile, split: _Split) -> bool:
    """Whether spaces divide a text: commas and bars, if any, stand there as words."""
    if column.holds is not Holds.LISTED:
        return True
    mark = column.mark
    return bool(mark.strip("[")) and all(p == mark or mark not in p for p in split.pieces)


def _split(values: Sequence[Any]) -> _Split:
    rows = [[] if is_missing(value) else str(value).split() for value in values]
    return _Split(tuple(map(len, rows)), tuple(piece for row in rows for piece in row))


def _alike(one: _Split, two: _Split) -> bool:
    both = list(zip(one.counts, two.counts, strict=True))
    filled = [pair for pair in both if any(pair)]
    return bool(filled) and sum(a == b for a, b in filled) >= NEARLY * len(filled)
