"""Tables as text: cells between commas, tabs, semicolons or whatever divides every line alike."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise, takewhile
from pathlib import Path
from typing import Any

from regard.data.reading.compression import inner_suffix
from regard.data.reading.header import above_said, has_header, is_rule, rows_above, rows_below
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.lines import MAX_LINE_BYTES, lines
from regard.data.reading.second_tables import LOOKED_AT, another_table, second_table
from regard.data.reading.tables import PlacedRow

SAMPLED = 200
"""Rows that a file is recognized by."""
ALIKE = 0.95
"""Share of the rows that must have as many cells as the first one."""

NAMED = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", "::": "::", " ": "spaces"}
NAMED |= {
    "  ": "several spaces",
    "\x01": "control characters (0x01)",
    "\x1f": "control characters (0x1f)",
}
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200e\u200f\u2060"))
"""What may stand around names unseen."""
_RARE = (" ||| ", " +++$+++ ", "|||", "||", "\x01", "\x1f", "^", "~")
"""What hardly stands in a text, and divides cells where it does in every line."""
_SIGN = re.compile(r"[^\w\s]{2,}|[=→⇒↔⟶]")
_USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".inter": "\t", ".item": "\t"}
_LINES_APART = 4
"""Lines from which on several spaces in all of them divide columns."""
_TEXTS = (".txt", ".md", ".text", ".rst", ".log")
_PROSE = (",", ";", "|")
"""What stands in plain text as well, which is a table by them only with a header."""


@dataclass(frozen=True)
class Dialect:
    r"""How lines are divided: `quoted` as in RFC 4180, or with `\"` for a quote (`escaped`).

    `spaced` cells have a space behind each comma; `quote` is what stands around quoted ones.
    """

    mark: str
    quoted: bool = False
    spaced: bool = False
    escaped: bool = False
    quote: str = '"'


@dataclass(frozen=True)
class Separated:
    """A table in lines of text; columns without a header are called by their numbers, from 1.

    Args:
        width: cells that a row has; more or fewer are refused, but for empty ones at the end.
        skipped: rows above the names, such as a title or remarks.
        first: the row of names as it stands; one that says it again is left out.
    """

    path: Path
    encoding: str
    dialect: Dialect
    names: tuple[str, ...]
    header: bool
    width: int
    said: tuple[str, ...] = ()
    skipped: int = 0
    first: tuple[str, ...] = ()

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        places = [self._all.index(name) for name in names]
        begin = self.skipped + int(self.header)
        body = islice(rows_of(self.path, self.encoding, self.dialect), begin, None)
        whole = places == list(range(self.width))
        for where, cells in body:
            if self.header and (cells == self.first or is_rule(cells)):
                continue
            if len(cells) != self.width:
                cells = self.filled(where, cells)
            yield where, cells if whole else tuple([cells[place] for place in places])

    @property
    def _all(self) -> tuple[str, ...]:
        return (*self.names, *[""] * (self.width - len(self.names)))

    def filled(self, where: str, cells: tuple[str, ...]) -> tuple[str, ...]:
        """A row whose last cells are empty or left out; raises `ValueError` for any other."""
        unnamed = len(self.names) <= len(cells) < self.width
        if unnamed or (len(cells) > self.width and not any(cells[self.width :])):
            return (*cells[: self.width], *[""] * (self.width - len(cells)))
        fewer = "; leave it out if it is no row" if len(cells) < self.width else ""
        raise ValueError(
            f"{where}: {len(cells)} columns, where the first row has {self.width} "
            f"({', '.join(self.names)}); a cell in which {self._mark} stand is put between quotes"
            f"{fewer}"
        )

    @property
    def _mark(self) -> str:
        return NAMED.get(self.dialect.mark, self.dialect.mark.strip())


def separated(
    path: Path, encoding: str, lexicon: Lexicon, asked: Sequence[str] = ()
) -> Separated | None:
    """The table in a file of text, None for one that is not divided into columns.

    Args:
        asked: names of columns that a caller gave; a first row that has one of them is a header.
    """
    suffix = inner_suffix(path)
    dialect = _dialect(path, encoding, suffix, lexicon)
    if dialect is None:
        return None
    sample = [cells for _, cells in islice(rows_of(path, encoding, dialect), SAMPLED)]
    if not sample:
        raise ValueError(f"{path} has no row")
    above = rows_above(sample, lexicon, asked)
    first = tuple(_title(cell) for cell in sample[above])
    body = [row for row in sample[above + 1 :] if not is_rule(row)]
    _require_apart(path, sample, dialect)
    said = []
    if _are_numbered(first, body):
        first = ("", *first)
        said.append("the first column has the numbers of the rows, and no name")
    width = len(first)
    below, explained = rows_below(first, body)
    header = has_header(first, body[below:], lexicon, asked)
    below *= header
    body = body[below:]
    if not header and suffix in _TEXTS and dialect.mark in _PROSE:
        return None
    names = first if header else tuple(str(n + 1) for n in range(width))
    kept = _named(path, names, body)
    second = second_table(_with_blanks(path, encoding, dialect))
    if second:
        raise ValueError(another_table(path, second))
    usual = _USUAL.get(suffix)
    if dialect.mark != usual:
        said.append(f"cells between {NAMED.get(dialect.mark, dialect.mark.strip())}")
    said += [*above_said(above), *((explained,) * (below > 0))]
    if header and sample[above] in sample[above + 1 :]:
        said.append("rows that say the names of the columns again are left out")
    if not header:
        said.append("no row of names: columns are called by their numbers")
    at, whole = above + below, tuple(sample[above])
    return Separated(path, encoding, dialect, kept, header, width, tuple(said), at, whole)


def _with_blanks(path: Path, encoding: str, dialect: Dialect) -> list[list[str]]:
    """The first rows, those without a filled cell too, as far as they can be read."""
    if not dialect.quoted:
        first = islice(lines(path, encoding), LOOKED_AT)
        return [cells_of(line, dialect.mark) if line.strip() else [] for line in first]
    rows: list[list[str]] = []
    try:
        found = (f"{line}\n" for line in lines(path, encoding))
        rows.extend(islice(quoted_rows(found, dialect), LOOKED_AT))
    except csv.Error:
        pass  # It is said where it stands.
    return rows


def _are_numbered(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether rows have a cell more than the names, with their numbers, as R writes them."""
    longer = [row for row in body if len(row) == len(first) + 1]
    if len(longer) < max(2, ALIKE * len(body)):
        return False
    numbers = [row[0] for row in longer]
    return all(map(str.isdigit, numbers)) and all(
        int(two) == int(one) + 1 for one, two in pairwise(numbers)
    )


def _require_apart(path: Path, sample: Sequence[Sequence[str]], dialect: Dialect) -> None:
    """Raise `ValueError` for rows of one quoted cell that holds all the others of its row."""
    if not dialect.quoted or any(len(row) > 1 for row in sample):
        return
    try:
        inner = [len(row) for row in quoted_rows((f"{cell}\n" for (cell,) in sample), dialect)]
    except csv.Error:
        return
    if len(inner) > 2 and len({*inner}) == 1 and inner[0] > 1:
        raise ValueError(
            f"{path}: each line is one quoted cell that holds the {inner[0]} cells of its row, as "
            "of a table that was saved as CSV twice; save it with its cells apart"
        )


def cells_of(line: str, mark: str) -> list[str]:
    """The cells of a line without quotes.

    >>> cells_of("a b", " "), cells_of("so it is    good", "  ")
    (['a', 'b'], ['so it is', 'good'])
    """
    if mark == "  ":
        return re.split(r"\s{2,}", line.strip())
    return line.split(None if mark == " " else mark)


def rows_of(path: Path, encoding: str, dialect: Dialect) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a file that are not blank, with where they stand."""
    place = f"{path} line "
    rows = lines(path, encoding)
    first = next(rows, "")
    marked = bool(says_mark(1, first))
    if not marked:
        rows = chain([first], rows)
    if not dialect.quoted:
        for number, line in enumerate(rows, 1 + marked):
            if line.strip():
                yield f"{place}{number}", tuple(cells_of(line, dialect.mark))
        return
    reader = quoted_rows((f"{line}\n" for line in rows), dialect)
    begin = 1 + marked
    try:
        for cells in reader:
            if any(cells):
                yield f"{place}{begin}", tuple(cells)
            begin = reader.line_num + 1 + marked
    except csv.Error as error:
        if "new-line" in str(error):
            raise ValueError(
                f"{place}{begin}: a carriage return stands within the line, as where lines end in "
                "several ways; make their ends alike: tr '\\r' '\\n' < FILE > NEW"
            ) from None
        raise ValueError(
            f"{place}{begin}: {error}; a quote within a quoted cell is written twice"
        ) from None


def quoted_rows(ended: Iterable[str], dialect: Dialect) -> Any:
    """The `csv.reader` of a quoted dialect, of lines with their ends."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    return csv.reader(
        ended,
        delimiter=dialect.mark,
        skipinitialspace=dialect.spaced,
        quotechar=dialect.quote,
        escapechar="\\" if dialect.escaped else None,
        doublequote=not dialect.escaped,
        strict=True,
    )


def _dialect(
    path: Path, encoding: str, suffix: str, lexicon: Lexicon, above: int = 0
) -> Dialect | None:
    """How the lines of a file are divided, None if they are not; the first ones may be remarks."""
    head = [line for line in islice(lines(path, encoding), SAMPLED) if line.strip()]
    usual = says_mark(1, head[0]) if head else None
    head = head[1:] if usual else head
    usual = usual or _USUAL.get(suffix)
    head = head[above:]
    if not head and usual is None:
        return None
    if not head:
        raise ValueError(f"{path} has no row")
    marks = [usual] if usual else []
    rare = [mark for mark in (*_RARE, *_between(head)) if _is_rare(mark, head)]
    marks = [*rare, *marks] if not usual or usual not in head[0] else marks
    marks += [mark for mark in ("\t", "::", ";", ",", "|") if mark != usual]
    for mark in marks:
        if mark not in head[0]:
            continue
        either = (False, True) if mark == "\t" or mark in rare else (len(mark) == 1,)
        if mark == "\t" and _breaks(path, encoding, above):
            either = (True, False)
        for quoted in either:
            if len(mark) == 1 or not quoted:
                found = Dialect(mark, quoted)
                if _divides(path, encoding, found, usual != mark, above):
                    return _spaced(path, encoding, found)
                found = replace(found, escaped=quoted)
                if quoted and _divides(path, encoding, found, usual != mark, above):
                    return found
                found = Dialect(mark, quoted, quote="'")
                single = quoted and any(line.startswith("'") or f"{mark}'" in line for line in head)
                if single and _divides(path, encoding, found, usual != mark, above):
                    return found
    remarks = sum(1 for _ in takewhile(lambda line: line.startswith("#"), head))
    if 0 < remarks < len(head) and not above:
        return _dialect(path, encoding, suffix, lexicon, remarks)
    if usual:  # one column, or rows of which one is wrong: said when it is read
        return Dialect(usual, quoted=usual == ",")
    spaced = Dialect(" ", quoted=True)
    if head[0].startswith('"') and _divides(path, encoding, spaced, True, above):
        return spaced
    apart = {len(cells_of(line, "  ")) for line in head}
    if len(apart) == 1 and apart != {1} and len(head) >= _LINES_APART:
        return Dialect("  ")
    numbers = [line.split() for line in head]
    if len(numbers[0]) > 1 and all(
        len(row) == len(numbers[0]) and all(re.fullmatch(r"[\d.+-]+", cell) for cell in row)
        for row in numbers
    ):
        return Dialect(" ")
    return None


def _between(head: Sequence[str]) -> list[str]:
    """Signs that stand alone once in every line, as the arrow of `a dog => ein Hund` does."""
    if len(head) < _LINES_APART:
        return []
    signs = [each for each in head[0].split() if _SIGN.fullmatch(each)]
    alone = [f" {sign} " for sign in signs if all(line.count(f" {sign} ") == 1 for line in head)]
    # Where few words stand before it, they are keys, and what is behind them their values.
    return [mark for mark in alone if 2 * len({line.split(mark)[0] for line in head}) > len(head)]


def _is_rare(mark: str, head: Sequence[str]) -> bool:
    """Whether a mark that hardly stands in texts does in every line, and is no two bars or more."""
    if not all(mark in line for line in head):
        return False
    return "|" not in mark or not any("|" in cell for line in head for cell in line.split(mark))


def says_mark(number: int, line: str) -> str | None:
    """The mark that a first line `sep=;` says, as Excel writes it."""
    said = re.fullmatch(r"sep=(.)", line.strip(' \r"')) if number == 1 else None
    return said[1] if said else None


def _divides(path: Path, encoding: str, dialect: Dialect, prose: bool, above: int = 0) -> bool:
    """Whether the rows have cells, nearly all as many as the first."""
    try:
        rows = [row for _, row in islice(rows_of(path, encoding, dialect), above, SAMPLED)]
    except ValueError:
        return False
    if not rows or len(rows[0]) < 2:
        return False
    width = len(rows[0]) + _are_numbered(rows[0], rows[1:])
    alike = sum(len(row) == width for row in rows[1:])
    least = 1.0 if prose and dialect.mark in _PROSE else ALIKE
    return alike + 1 >= least * len(rows)


def _breaks(path: Path, encoding: str, above: int) -> bool:
    """Whether rows with tabs are all alike only where quotes may hold tabs and line feeds."""
    alike = []
    for quoted in (False, True):
        dialect = Dialect("\t", quoted)
        try:
            rows = [row for _, row in islice(rows_of(path, encoding, dialect), above, SAMPLED)]
        except ValueError:
            return False
        alike.append(len({len(row) for row in rows}) == 1)
    return alike == [False, True]


def _spaced(path: Path, encoding: str, dialect: Dialect) -> Dialect:
    """With the spaces behind the marks left out, where nearly every cell has one."""
    if not dialect.quoted:
        return dialect
    counts = Counter[bool]()
    for line in islice(lines(path, encoding), SAMPLED):
        counts.update(cell.startswith(" ") for cell in line.split(dialect.mark)[1:])
    try:
        rows = [cells for _, cells in islice(rows_of(path, encoding, dialect), SAMPLED)]
    except ValueError:
        rows = []
    behind = [cell.startswith(" ") for cells in rows for cell in cells[1:] if cell]
    spaced = behind and sum(behind) >= ALIKE * len(behind)
    # A cell `"a, b"` behind a space is no quoted one but for this, and falls apart.
    lengths = sorted(map(len, rows))
    apart = not rows or lengths[len(lengths) // 2] != len(rows[0])
    if spaced or (apart and counts[True] > counts[False]):
        return replace(dialect, spaced=True)
    return dialect


def _title(cell: str) -> str:
    """A name as it was meant: without quotes, spaces around it, and RecBole's type behind it."""
    plain = cell.translate(_INVISIBLE).strip()
    name = re.sub(r":(token|float|token_seq|float_seq)$", "", plain)
    while len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    return name


def _named(path: Path, names: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The names of the columns, those without a name that are empty left out at the end.

    Raises `ValueError` for two of one name.
    """
    last = len(names)
    while last and not names[last - 1] and not any(row[last - 1 : last] != ("",) for row in body):
        last -= 1
    kept = tuple(
        name or (f"column {n + 1}" if str(n + 1) in names else str(n + 1))
        for n, name in enumerate(names[:last])
    )
    if len(set(kept)) < len(kept):
        raise ValueError(
            f"{path} line 1: two columns have one name: {', '.join(kept)}; call one otherwise"
        )
    return kept
