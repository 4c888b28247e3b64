"""Whether the first row of a table names its columns: by what stands below it."""

import re
from collections.abc import Sequence
from itertools import pairwise

from regard.data.reading.languages import is_language, script
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.numbers_written import MISSING, number_in
from regard.data.reading.profile import Holds, profile

FEW = 3
"""Rows below the first that are too few to compare it with."""
YEARS = (1800, 2101)
"""What columns are called that hold what was in a year, and the numbers below are not."""
CERTAIN = 20
"""Times that each value of a column comes back on average where a first one is none of them."""
SHORTER = 3
"""How many times shorter than nearly all cells below it a name is."""

TYPED = (Holds.WHOLE, Holds.NUMBER, Holds.TIME, Holds.FLAG)
"""What a column holds in which a word stands as a name alone."""
_BRACKETED = re.compile(r"\[.*\]|\(.*\)")
_LONGEST_UNIT = 8
_REMARK = re.compile(r"#([\s#=-]|$|(separator|html|deck|notetype|tags|columns|guid)\b.*:)")
_RULE = re.compile(r":?-{2,}:?")
_IMPORTED = re.compile(r'\{"ImportId":')
"""How the cells of the row begin in which Qualtrics writes the ids of its columns."""
_RESPONSES = ("Open-Ended Response", "Other (please specify)")
"""What SurveyMonkey writes below a question."""
_MOST_BELOW = 3
_MOST_ABOVE = 12
"""Rows among which that of names is looked for."""
_ALIKE = 0.95
"""Share of the rows below the names that must have as many cells."""


def has_header(
    first: Sequence[str], body: Sequence[Sequence[str]], lexicon: Lexicon, asked: Sequence[str] = ()
) -> bool:
    """Whether the first row is one of names.

    It is where a caller's name stands in it, or a known one; else where most columns differ in kind
    from their first cell: numbers, dates or yes and no below a word, one of few values below
    another word, long texts or another script below a short one. A sentence in it speaks against
    that; the questions of a survey are names all the same, and so are years, and the 0, 1, 2 that
    pandas writes for no names.

    >>> has_header(["v1", "v2"], [["ham", "see you at noon then"]] * 9, Lexicon.of(()))
    True
    >>> has_header(["Hi.", "Salut."], [["Run!", "Cours !"], ["Who?", "Qui ?"]] * 2, Lexicon.of(()))
    False
    """
    lower = [cell.strip().lower() for cell in first]
    if any(name.strip().lower() in lower for name in asked):
        return True
    filled = [cell for cell in lower if cell]
    twice = len(set(filled)) < len(filled)
    if twice and all(cell in lexicon.headers for cell in filled):
        return True  # Two columns of one name, which is then said.
    columns = [[row[n].strip() for row in body if len(row) > n] for n in range(len(first))]
    counted = _are_counted(lower, columns)
    if twice or not filled or (any(map(_is_value, filled)) and not counted):
        return False
    sentences = sum(map(_is_sentence, first))
    if not sentences and lexicon.is_header(first):
        return True
    if len(body) < FEW:
        return False
    votes = [
        0 if counted and _is_value(cell) else _vote(cell.strip(), column)
        for cell, column in zip(first, columns, strict=True)
    ]
    if all(map(is_language, filled)) and len(filled) > 1 and not any(v < 0 for v in votes):
        return True
    return sum(votes) > sentences or (counted and min(votes) >= 0)


def rows_above(sample: Sequence[tuple[str, ...]], lexicon: Lexicon, asked: Sequence[str]) -> int:
    """How many rows stand above the names: a title in one cell, remarks behind a `#`."""
    full = [sum(map(bool, row)) > 1 and not row[0].startswith("#") for row in sample[:_MOST_ABOVE]]
    above = full.index(True) if True in full else 0
    # Names of groups, in merged cells, stand above those of columns.
    if sample[above + 1 :] and sum(map(bool, sample[above])) < sum(map(bool, sample[above + 1])):
        above += int(above + 2 < len(sample) and all(sample[above + 1]))
    row = sample[above]
    rest = sample[above + 1 :]
    alike = [each for each in rest if sum(map(bool, each)) > 1 and len(each) == len(row)]
    named = above and len(alike) >= max(1, _ALIKE * len(rest))
    if named and has_header([cell.strip() for cell in row], rest, lexicon, asked):
        return above
    remarks = [bool(_REMARK.match(each[0])) for each in sample[:_MOST_ABOVE]]
    return above if above and all(remarks[:above]) else 0


def above_said(above: int) -> tuple[str, ...]:
    """What is said of rows above the names."""
    return (f"{above} row{'s' * (above > 1)} above the names of the columns left out",) * (
        above > 0
    )


def rows_below(names: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[int, str]:
    """How many rows below the names say more of the columns, and what is said of them.

    These are units, or the questions of a survey and the ids of its columns, as Qualtrics and
    SurveyMonkey write them.

    >>> rows_below(["Q1"], [["How was it?"], ['{"ImportId": "QID1"}'], ["well"]])
    (2, '2 rows below the names that explain them left out')
    """
    ids = [n for n, row in enumerate(body[:_MOST_BELOW]) if _IMPORTED.match("".join(row[:1]))]
    if ids:
        count = ids[0] + 1
    elif body and are_units(body[0], body[1:]):
        return 1, "the row of units below the names left out"
    else:
        count = int(bool(body) and _explains(names, body[0], body[1:]))
    rows = f"{count} rows" if count > 1 else "the row"
    return count, f"{rows} below the names that explain{'s' * (count == 1)} them left out"


def _explains(names: Sequence[str], cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a row asks what the columns answer, or names what these of several columns are."""
    filled = [(n, cell.strip()) for n, cell in enumerate(cells) if cell.strip()]
    below = {n: [row[n] for row in body if len(row) > n and row[n].strip()] for n, _ in filled}
    if len(body) < FEW or any(cell in below[n] for n, cell in filled):
        return False
    if any(cell.startswith(_RESPONSES) for _, cell in filled):
        return True
    typed = [n for n, _ in filled if below[n] and profile("", below[n]).holds in TYPED]
    asked = sum(map(_is_asked, (cell for _, cell in filled)))
    coded = sum(bool(re.fullmatch(r"Q\d+(_\w+)*", name)) for name in names)
    words = all(not _is_value(cells[n].strip().lower()) for n in typed)
    return words and asked > 0 and coded > 0 and len(filled) == len(names)


def _is_asked(cell: str) -> bool:
    return cell.rstrip().endswith(("?", "？"))


def are_units(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the row below the names says the units of columns, such as `[kg]` above numbers."""
    filled = [(n, cell.strip()) for n, cell in enumerate(cells) if cell.strip()]
    if not filled or len(body) < FEW:
        return False
    below = {n: [row[n] for row in body if len(row) > n and row[n].strip()] for n, _ in filled}
    some = [n for n, cell in filled if not _BRACKETED.fullmatch(cell)]
    units = all(len(cells[n].strip()) <= _LONGEST_UNIT for n in some)
    numbers = [all(number_in(each) is not None for each in below[n]) for n, _ in filled]
    told = not any(any(map(str.isdigit, cells[n])) for n in some)
    return units and told and any(numbers) and (not some or all(numbers))


def is_rule(cells: Sequence[str]) -> bool:
    """Whether a row is a line below names, as Markdown draws one: `|---|:---:|`."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and all(map(_RULE.fullmatch, filled))


def _is_value(cell: str) -> bool:
    """Whether a cell is a number, a date or a list, which no column is called."""
    dated = re.fullmatch(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*", cell)
    return number_in(cell) is not None or bool(dated) or cell[:1] in ("[", "{")


def _are_counted(first: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether numbers in a first row are names: years, or 0, 1, 2 above what is no number."""
    places = [n for n, cell in enumerate(first) if cell and _is_value(cell)]
    numbers = [int(first[n]) for n in places if re.fullmatch(r"\d{1,4}", first[n])]
    if len(numbers) < max(2, len(places)) or len({b - a for a, b in pairwise(numbers)}) != 1:
        return False
    below = [[number_in(cell) for cell in columns[n] if cell] for n in places]
    if numbers[0] in (0, 1) and numbers[1] == numbers[0] + 1:
        return any(held and None in held for held in below)
    inside = [n for held in below for n in held if n is not None and YEARS[0] < n < YEARS[1]]
    years = YEARS[0] < numbers[0] < numbers[-1] < YEARS[1] and len(places) < len(first)
    return years and 2 * len(inside) < sum(map(len, below))


def _is_sentence(cell: str) -> bool:
    return len(cell.split()) > 6 or (len(cell.split()) > 1 and cell.rstrip()[-1:] in ".!?。！？")


def _vote(cell: str, column: Sequence[str]) -> int:
    """How much a first cell differs from the column below it: against a header below 0."""
    filled = [each for each in column if each]
    if not filled:
        return 1 if cell else 0
    if not cell or cell.lower() in MISSING:
        return 0
    if cell.lower() in {each.lower() for each in filled}:
        return -2
    if profile("", filled).holds in TYPED:
        return 2
    few = len(set(filled)) * 4 <= len(filled)
    lengths = sorted(map(len, filled))
    shortest = lengths[len(lengths) // 20]
    alphabet = script([cell])
    other = alphabet == "LATIN" and script(filled[:20]) not in ("LATIN", None)
    other = other or (cell.islower() and all(map(str.isupper, filled)))
    if len(set(filled)) * CERTAIN <= len(filled):
        return 2  # Hardly any label of so few is in the first row alone.
    if few or shortest >= SHORTER * len(cell) or other:
        return 1
    listed = sum(each[:1] == "[" and each[-1:] == "]" for each in filled) > 0.9 * len(filled)
    return 1 if listed else 0
