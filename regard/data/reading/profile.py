"""What a column holds, by its first values: texts, labels, names, numbers, times, lists ..."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from itertools import pairwise
from typing import Any

from regard.data.reading.dates_written import MILLISECONDS, seconds_of
from regard.data.reading.languages import script
from regard.data.reading.literals import listed
from regard.data.reading.numbers_written import MISSING, is_amount, written_as
from regard.data.reading.pictures import is_picture_name, picture_format

NEARLY = 0.95
"""Share of the values that must be of a kind for the column to be."""
LONGEST_LABEL = 50
"""Characters of a label that is recognized as one."""
WORDS_FROM = 3
"""Words that a text has on average, where a name has fewer."""
FEW_NUMBERS = 20
"""Different whole numbers that may be labels."""
FEW_SHAPES, LONG_CODE = 2, 6
"""Shapes that codes have at most, and lengths from this one on."""
MEASURED = 0.1
"""Share of numbers among values that say that there is none, where a column is one of numbers."""
LISTED_FROM = 20
"""Rows from which on numbers with commas may be told to be several."""
EPOCHS = (6e8, 4e9)
"""Seconds since 1970 that a column of times is likely to hold: 1989 to 2096."""
_TAGGED = {
    "<>": re.compile(r"(<[^<>\s]+>)+"),
    "#": re.compile(r"#\w+(\s+#\w+)*"),
    " / ": re.compile(r".*\S.*"),
}
"""Marks of labels that are written as tags, and how a cell of them is spelled."""
SENTENCE_ENDS = ".!?。！？"
MARKS = ("|", ";", ",")
"""What stands between several labels in one cell."""
_WIDE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
_SOURCE = re.compile(r"CC-BY|Attribution:")
"""Where a sentence is from, as Tatoeba's pairs say behind each."""
_DATED = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d{4}")
"""Dates in words, as servers write them, which are no texts."""
_ENDLESS = ("inf", "-inf", "infinity")
"""What is no number that can be learned, in a column of numbers; it is refused where it stands."""
_CROSSES = frozenset("x X ✓ ✔ ☑".split())
"""What is put where something holds, and nothing where it does not."""
_FLAGS = frozenset("0 1 true false yes no y n t f 0.0 1.0".split())


class Holds(Enum):
    """What the values of a column are."""

    NOTHING = "nothing"
    TEXT = "texts"
    LABEL = "labels"
    FLAG = "yes or no"
    NAME = "names"
    WHOLE = "whole numbers"
    NUMBER = "numbers"
    TIME = "times"
    LISTED = "lists of labels"
    WORDS = "lists of words"
    BYTES = "bytes"
    PICTURE = "pictures"
    PICTURE_FILE = "files of pictures"
    AMOUNT = "amounts of several units"
    OTHER = "something else"


@dataclass(frozen=True)
class Profile:
    """A column as far as its first values tell.

    Args:
        distinct: how many different ones there are, case and spaces at the ends apart.
        filled: how many are not empty.
        length: characters of one on average.
        words: words of one on average.
        mark: what stands between several labels in one cell.
        written: the script of most letters.
        decimals: all of them are written with a point.
        numbers: the share of those that are numbers.
        lists: each value is a list, though all may be of one.
        same: every row has the same, as those of one source or of one annotator do.
        counted: whole numbers that go up by one, or stay, from row to row.
        prose: lists of sentences.
        coded: words with digits in them, all of one shape or length: `u12`, `B000FA64`.
    """

    name: str
    holds: Holds
    distinct: int = 0
    filled: int = 0
    length: float = 0.0
    words: float = 0.0
    mark: str = ""
    written: str | None = None
    decimals: bool = False
    numbers: float = 0.0
    lists: bool = False
    same: bool = False
    counted: bool = False
    prose: bool = False
    coded: bool = False

    @property
    def unique(self) -> bool:
        """Whether every row has its own, as numbers of rows are."""
        return self.filled > 1 and self.distinct == self.filled

    @property
    def repeats(self) -> bool:
        """Whether values come back, as labels do."""
        return self.distinct * 2 <= self.filled

    @property
    def few(self) -> bool:
        """Whether there are several values, so few that they may be labels."""
        return self.repeats and 1 < self.distinct <= FEW_NUMBERS


def profile(name: str, values: Sequence[Any]) -> Profile:
    """What these first values of a column tell of it.

    >>> profile("stars", ["4", "5", "4", "1"]).holds, profile("x", ["so it goes on"] * 3).holds
    (<Holds.WHOLE: 'whole numbers'>, <Holds.LABEL: 'labels'>)
    """
    filled = [each for each in values if not is_missing(each)]
    if not filled or {str(each).strip().lower() for each in filled} <= MISSING:
        return Profile(name, Holds.NOTHING)
    if len(filled) < len(values) and {str(each).strip() for each in filled} <= _CROSSES:
        return replace(_of_texts(name, filled), holds=Holds.FLAG)
    found = _of_filled(name, filled)
    same = len(filled) > 1 and all(each == filled[0] for each in filled)
    crossed = found.holds is Holds.FLAG and len(filled) < len(values)
    return replace(found, same=same and not crossed)


def _of_filled(name: str, filled: Sequence[Any]) -> Profile:
    texts = [as_text(each) for each in filled]
    if all(isinstance(each, bytes) for each in filled) and None not in texts:
        return _of_texts(name, texts)
    if any(isinstance(each, (bytes, dict)) for each in filled):
        return Profile(name, _of_objects(filled), filled=len(filled))
    if sum(isinstance(each, (list, tuple)) for each in filled) >= NEARLY * len(filled):
        return _of_lists(name, [each for each in filled if isinstance(each, (list, tuple))])
    return _of_texts(name, filled)


def is_missing(value: Any) -> bool:
    """Whether a value says that there is none.

    >>> is_missing(None), is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, True, False)
    """
    if value is None or (isinstance(value, float) and value != value):
        return True
    return isinstance(value, str) and not value.strip()


def as_text(value: Any) -> str | None:
    """The text that bytes are, as Hive and Impala keep it in Parquet; None for what is none.

    >>> as_text("schön".encode()), as_text(bytes([137, 80, 78, 71])), as_text(b"a" + bytes(1))
    ('schön', None, None)
    """
    try:
        text = value.decode() if isinstance(value, bytes) else ""
    except UnicodeDecodeError:
        return None
    plain = all(letter.isprintable() or letter.isspace() for letter in text)
    return text if plain and text else None


def pieces(text: str, mark: str) -> list[str]:
    """The labels in a cell with `mark` between them.

    >>> pieces("Drama| Crime |", "|"), pieces("<c#><sql>", "<>"), pieces("#a #b", "#")
    (['Drama', 'Crime'], ['c#', 'sql'], ['a', 'b'])
    """
    if mark == "<>":
        return re.findall(r"<([^<>]+)>", text)
    return [piece.strip() for piece in text.split(mark) if piece.strip()]


def _of_objects(filled: Sequence[Any]) -> Holds:
    if any(isinstance(each, dict) and "bytes" in each for each in filled):
        return Holds.PICTURE
    if not all(isinstance(each, bytes) for each in filled):
        return Holds.OTHER
    pictures = sum(picture_format(each[:16]) is not None for each in filled)
    return Holds.PICTURE if pictures >= NEARLY * len(filled) else Holds.BYTES


def _of_lists(name: str, lists: Sequence[Sequence[Any]]) -> Profile:
    inside = [each for some in lists for each in some if not is_missing(each)]
    if inside and max(map(len, lists)) == 1:
        return replace(profile(name, inside), lists=True)
    if not all(isinstance(each, (str, int, float, bool)) for each in inside):
        return Profile(name, Holds.OTHER, filled=len(lists))
    if not inside:
        return Profile(name, Holds.NOTHING)
    texts = [str(each) for each in inside]
    distinct = len(set(texts))
    words = len(inside) / len(lists)
    few = distinct <= max(1000, len(lists) // 2) and words <= 10
    text_like = all(isinstance(each, str) for each in inside) and words > WORDS_FROM
    ended = sum(" " in text and text.rstrip()[-1:] in SENTENCE_ENDS for text in texts)
    prose = 2 * ended > len(texts)
    holds = Holds.WORDS if text_like or prose or not few else Holds.LISTED
    length = sum(map(len, texts)) / max(1, len(texts))
    found = Profile(name, holds, distinct, len(lists), length, words, written=script(texts[:200]))
    return replace(found, prose=prose)


def _of_texts(name: str, filled: Sequence[Any]) -> Profile:
    texts = [str(each).strip() for each in filled]
    count = len(texts)
    distinct = len({text.casefold().removesuffix(".0") for text in texts})
    length = sum(map(len, texts)) / count
    words = sum(len(text.split()) for text in texts) / count
    written = script(texts[:50])
    holds, mark = _kind(filled, texts, distinct, words, written)
    decimals = all("." in text or "," in text for text in texts)
    made = written_as(texts).number
    numbers = sum(made(text) is not None for text in texts) / count
    found = Profile(name, holds, distinct, count, length, words, mark, written, decimals, numbers)
    if holds is Holds.WHOLE and distinct > FEW_NUMBERS:
        return replace(found, counted=_are_counted([made(text) for text in texts]))
    if holds is Holds.TEXT:
        pieces_of = [word for text in texts for word in text.split()]
        return replace(found, coded=len(pieces_of) > 1.5 * count and _are_codes(pieces_of))
    return replace(found, coded=holds in (Holds.NAME, Holds.LABEL) and _are_codes(texts))


def _are_counted(numbers: Sequence[float | None]) -> bool:
    return all(a is not None and b is not None and 0 <= b - a <= 1 for a, b in pairwise(numbers))


def _are_codes(texts: Sequence[str]) -> bool:
    with_digits = sum(bool(re.fullmatch(r"\S*\d\S*", text)) for text in texts)
    shapes = {re.sub(r"\d+", "0", text) for text in texts}
    lengths = {len(text) for text in texts}
    alike = len(shapes) <= FEW_SHAPES or (len(lengths) <= FEW_SHAPES and min(lengths) >= LONG_CODE)
    return with_digits >= NEARLY * len(texts) and alike and len(texts) > LISTED_FROM


def _kind(
    filled: Sequence[Any], texts: Sequence[str], distinct: int, words: float, written: str | None
) -> tuple[Holds, str]:
    count = len(texts)
    if {text.casefold() for text in texts} <= _FLAGS and distinct <= 2:
        return Holds.FLAG, ""
    made = written_as(texts).number
    some = [text for text in texts if text.lower() not in (*MISSING, *_ENDLESS)]
    numbers = [number for text in some if (number := made(text)) is not None]
    if _are_numbers_listed(texts):
        return Holds.LISTED, ","
    if len(numbers) >= max(NEARLY * len(some), MEASURED * count):
        measured = _has_unit(texts) and len({*numbers}) > FEW_NUMBERS
        return Holds.NUMBER if measured else _of_numbers(numbers, some), ""
    if sum(bool(_SOURCE.search(text)) for text in texts[:200]) > 0.9 * len(texts[:200]):
        return Holds.OTHER, ""
    dated = any(isinstance(each, date) for each in filled) or _is_date(texts[0])
    if dated and sum(_is_date(text) for text in texts) >= NEARLY * count:
        return Holds.TIME, ""
    if _are_lists(texts[:200]):
        return Holds.LISTED, "["
    for mark in (*MARKS, *_TAGGED):
        if _are_pieces(texts, mark):
            return Holds.LISTED, mark
    if sum(map(is_picture_name, texts)) >= NEARLY * count:
        return Holds.PICTURE_FILE, ""
    if all(map(_DATED.match, texts[:200])):
        return Holds.OTHER, ""
    if distinct * 2 <= count and max(map(len, texts)) <= LONGEST_LABEL:
        return Holds.LABEL, ""
    if all(is_amount(text) for text in texts[:200]):
        return Holds.AMOUNT, ""  # No numbers, and no texts either.
    wide = written in _WIDE and sum(map(len, texts)) / count > 2 * WORDS_FROM
    return (Holds.TEXT if words >= WORDS_FROM or wide else Holds.NAME), ""


def _has_unit(texts: Sequence[str]) -> bool:
    found = written_as(texts)
    return bool(found.before or found.behind)


def _is_date(text: str) -> bool:
    return seconds_of(text) is not None or seconds_of(text, "month") is not None


def _of_numbers(numbers: Sequence[float], texts: Sequence[str]) -> Holds:
    whole = all(number.is_integer() for number in numbers)
    if not whole:
        return Holds.NUMBER
    low, high = min(numbers), max(numbers)
    scale = 1000 if low >= MILLISECONDS else 1
    in_time = EPOCHS[0] * scale <= low and high <= EPOCHS[1] * scale
    coded = any(text[:1] == "0" for text in texts)  # as an ISBN
    if in_time and not coded and len(set(numbers)) * 10 > len(numbers):
        return Holds.TIME
    # 1.0 and 2.5 are measured, 1 and 2 are counted, whatever is in the first rows.
    return Holds.WHOLE if all("." not in text for text in texts) else _written_whole(numbers)


def _written_whole(numbers: Sequence[float]) -> Holds:
    return Holds.WHOLE if len(set(numbers)) <= FEW_NUMBERS else Holds.NUMBER


def _are_lists(texts: Sequence[str]) -> bool:
    """Whether cells spell lists; those of one value may be spelled as this value alone."""
    lists = [listed(text) for text in texts]
    found = [each for some in lists for each in some or ()]
    alone = [text for text, some in zip(texts, lists, strict=True) if some is None]
    if len(alone) <= (1 - NEARLY) * len(texts):
        return True
    known = {*map(str, found)}
    return len(known) * 2 <= len(found) and sum(each in known for each in alone) * 2 > len(alone)


def _are_pieces(texts: Sequence[str], mark: str) -> bool:
    """Whether cells are labels with a mark between: pieces that are few, short and come back."""
    spelled = _TAGGED.get(mark)
    if spelled and not all(map(spelled.fullmatch, texts)):
        return False
    several = sum(
        len(pieces(text, mark)) > 1 if spelled else mark in text != mark for text in texts
    )
    if several < max(2, 0.05 * len(texts)):
        return False
    share = 2 if len(texts) >= 20 or mark != "|" else 1
    found = [piece for text in texts for piece in pieces(text, mark)]
    short = max(map(len, found), default=0) <= LONGEST_LABEL
    different = len(set(found))
    if mark not in ("|", "<>", "#"):
        # Prose has commas too; but what comes back in it are no pieces of one or two words.
        words = sum(len(piece.split()) for piece in found) / max(1, len(found))
        short = short and words <= 2 and different < len(set(texts))
    return short and different * share <= len(found)


def _are_numbers_listed(texts: Sequence[str]) -> bool:
    """Whether `2` and `2,7` are numbers of labels: whole ones in order, which all stand alone too.

    The part behind a decimal comma would be smaller than what is before it as often as not.
    """
    found = [text.split(",") for text in texts]
    several = [parts for parts in found if len(parts) > 1]
    if len(texts) < LISTED_FROM or len(several) < 0.05 * len(texts):
        return False
    if not all(part.isdigit() and str(int(part)) == part for parts in found for part in parts):
        return False
    alone = {parts[0] for parts in found if len(parts) == 1}
    ordered = all(int(a) < int(b) for parts in several for a, b in pairwise(parts))
    behind = {part for parts in several for part in parts[1:]}
    return ordered and len(behind) > 2 and behind <= alone


def splits_by(values: Sequence[Any]) -> str:
    """The mark between several labels in the cells of a column that is known to hold such."""
    texts = [str(each) for each in values if not is_missing(each)]
    return next((mark for mark in MARKS if _are_pieces(texts, mark)), "")
