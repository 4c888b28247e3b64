"""Dates written in every language of Unicode's CLDR, straight to token numbers.

Babel formats about 18 000 dates a second. Here each pattern (a language's full, long, medium or
short one) is compiled once into pieces - a literal, or one field such as the month's name - and a
batch of dates is one gather from a table of pieces, many times as fast. Babel renders every piece,
so the two agree by construction; a test compares them all the same.

A text is the language's tag, one token such as `<fr>`, and then the characters. Digits are ASCII
and the calendar Gregorian in every language, as Babel writes them.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.synthetic.days import FIRST_YEAR, NUM_DAYS, YEARS, day

FORMATS = ("full", "long", "medium", "short")
_FIELD = re.compile(r"%\((\w+)\)s")
_PARTS = re.compile(r"%\(\w+\)s|(?:[^%]|%%)+")
_KINDS = ("literal", "day", "month", "weekday", "year")
# What a field of CLDR depends on, by its first letter; the era is the same for all our years.
_DEPENDS = dict(d="day", M="month", L="month", E="weekday", c="weekday", y="year", G="literal")
# One date for each value of what a field may depend on (1 January 2001 was a Monday).
_EXAMPLES = {
    "literal": [datetime.date(2001, 1, 1)],
    "day": [datetime.date(2001, 1, number) for number in range(1, 32)],
    "month": [datetime.date(2001, number, 1) for number in range(1, 13)],
    "weekday": [datetime.date(2001, 1, number) for number in range(1, 8)],
    "year": [datetime.date(FIRST_YEAR + number, 1, 1) for number in range(YEARS)],
}


def babel() -> Any:
    """The package Babel, which is optional; raises `ImportError` with the line to install it."""
    try:
        import babel
        import babel.dates
        import babel.localedata
    except ImportError:
        raise ImportError(
            "dates in every language come from the package Babel, which is not installed; "
            'install it with: pip install "regard[demo]"'
        ) from None
    return babel


@cache
def _values() -> np.ndarray:
    """For every day of the window its values in the order of `_KINDS`."""
    days = [day(number) for number in range(NUM_DAYS)]
    return np.array([(0, d.day - 1, d.month - 1, d.weekday(), d.year - FIRST_YEAR) for d in days])


def languages() -> tuple[str, ...]:
    """The tags of Babel's languages, without territories and scripts, sorted: 312 in Babel 2.18."""
    return tuple(sorted(n for n in babel().localedata.locale_identifiers() if "_" not in n))


def spell_date(part: str, locale: Any) -> tuple[str, list[str]]:
    """What a part of a pattern depends on, and its texts, one for each value of that.

    >>> spell_date("%(MMM)s", babel().Locale.parse("fr"))[1][:2]
    ['janv.', 'févr.']
    """
    field = _FIELD.fullmatch(part)
    if field is None:
        return "literal", [part.replace("%%", "%")]
    kind = _DEPENDS[field[1][0]]
    formatted = (babel().dates.DateTimeFormat(date, locale) for date in _EXAMPLES[kind])
    return kind, [each[field[1]] for each in formatted]


@dataclass(frozen=True, eq=False)
class CLDRDates:
    """The date patterns of some languages, compiled.

    Template `4 i + j` is language `i` in format `j` of `FORMATS`. Its segment `s` reads
    `pieces[first[template, s] + value]`, where `value` is the day of the month, the month, the
    weekday or the year of the date (from 0), as `kind[template, s]` says, or 0 for a literal.
    Segment 0 is the tag; behind a short template the segments are empty.

    >>> dates = CLDRDates.compile(["en", "fr"])
    >>> dates.texts(np.array([4, 3]), np.array([20880, 0]))
    ['<fr> mardi 3 mars 2026', '<en> 1/1/69']
    """

    languages: tuple[str, ...]
    vocabulary: Vocabulary
    pieces: Ragged
    first: np.ndarray
    kind: np.ndarray

    @classmethod
    def compile(cls, languages: Sequence[str]) -> "CLDRDates":
        """Read the patterns and names of these languages from Babel."""
        pieces: list[list[str]] = [[]]
        templates: list[list[tuple[int, int]]] = []
        for language in languages:
            tag, locale = f"<{language}>", babel().Locale.parse(language)
            places = {tag: (len(pieces), 0)}
            pieces.append([tag])
            for name in FORMATS:
                parts = _PARTS.findall(locale.date_formats[name].format)
                for part in parts:
                    if part not in places:
                        kind, texts = spell_date(part, locale)
                        places[part] = (len(pieces), _KINDS.index(kind))
                        pieces += [list(text) for text in texts]
                templates.append([places[part] for part in [tag, *parts]])
        vocabulary = Vocabulary.build(token for piece in pieces for token in piece)
        segments = max(len(template) for template in templates)
        table = np.array([t + [(0, 0)] * (segments - len(t)) for t in templates])
        encoded = Ragged.of(vocabulary.encode(piece) for piece in pieces)
        return cls(tuple(languages), vocabulary, encoded, table[..., 0], table[..., 1])

    def encode(self, templates: np.ndarray, days: np.ndarray) -> Ragged:
        """The token numbers of these dates (numbers of `days.day`) in these templates."""
        values = np.take_along_axis(_values()[days], self.kind[templates], axis=1)
        chosen = self.first[templates] + values
        return self.pieces.take(chosen.ravel()).joined(chosen.shape[1])

    def texts(self, templates: np.ndarray, days: np.ndarray) -> list[str]:
        """The same as people write them, `<tag> text`."""
        encoded = self.encode(templates, days)
        spelled = (self.vocabulary.decode(row.tolist()) for row in encoded)
        return [f"{tag} {''.join(characters)}" for tag, *characters in spelled]
