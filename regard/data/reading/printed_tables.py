"""Tables as programs print them: cells between bars, with drawn lines between names and rows."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.tables import Listed, PlacedRow

SAMPLED = 400
"""Lines by which a file is recognized."""
_BARS = str.maketrans("│┃║┆┊", "|||||")
_RULE = re.compile(r"[\s+|:=\-\u2500-\u257f]{3,}")
_CROSSED = re.compile(r"[-=─━═][+\u250c-\u257f]|[+\u250c-\u257f][-=─━═]")
_BESIDE = re.compile(
    r"shape: \(.*\)|\(\d+ rows?.*\)|\d+ rows? in set.*|only showing top .*|Time: .*"
    r"|\[\d+ rows x \d+ columns\]|\d+ rows?( \(.*\))?\s+\d+ columns?"
)
"""What databases and data frames print above and below."""
_TYPE = re.compile(
    r"-{3}|str|cat|bool(ean)?|date|varchar|double|(big|small)?int(eger)?\d*|[iuf]\d{1,2}|(list|datetime|struct|enum)\[?.*"
)
_CUT = re.compile(r".*(\.\.\.|…)")
_MOST_CUT = 0.1
"""Share of rows with a shortened cell from which on a table is not all there."""

_Part = tuple[int, list[str] | None]
"""The number of a line and its cells; none of a drawn line."""


def printed_table(path: Path, encoding: str) -> Listed | None:
    r"""A table as psql, MySQL, polars, Spark, Org and reStructuredText draw it; None for others.

    ```
    +-------+-------+
    | text  | label |
    +-------+-------+
    | fine  | good  |
    ```

    Raises `ValueError` for one whose rows or cells were shortened to be printed.
    """
    sample = list(islice(_parts(path, encoding), SAMPLED))
    crossed = any(_CROSSED.search(line) for line in islice(lines(path, encoding), 5))
    widths = {len(cells) for _, cells in sample if cells is not None}
    drawn = any(cells is None for _, cells in sample[:3])
    if not crossed or not drawn or len(widths) != 1 or widths <= {0, 1}:
        return None
    table = list(_rows(iter(sample)))
    if len(table) < 2:
        return None
    names = tuple(name or str(n + 1) for n, name in enumerate(table[0][1]))
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: two columns have one name: {', '.join(names)}; rename one")
    body = [cells for _, cells in table[1:]]
    cut = sum(any(map(_CUT.fullmatch, cells)) for cells in body)
    if cut > _MOST_CUT * len(body):
        raise ValueError(
            f"{path} is a printed table of which {cut} of {len(body)} rows are shortened ('...'); "
            "write the data itself as CSV: to_csv in pandas, write_csv in polars and Spark"
        )

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, cells in islice(_rows(_parts(file, encoding)), 1, None):
            if len(cells) != len(names):
                raise ValueError(
                    f"{file} line {number}: {len(cells)} cells, where the names are {len(names)}"
                )
            yield f"{file} line {number}", tuple(cells)

    return Listed(path, names, rows, ("a printed table, cells between bars",))


def _parts(path: Path, encoding: str) -> Iterator[_Part]:
    """The lines that are not blank, nor what is printed above and below."""
    for number, line in enumerate(lines(path, encoding), 1):
        plain = line.translate(_BARS).strip()
        if not plain or _BESIDE.fullmatch(plain.strip("| ")):
            continue
        if _RULE.fullmatch(plain) and _CROSSED.search(plain):
            yield number, None
            continue
        inner = plain[1:-1] if plain[0] == plain[-1] == "|" else line.translate(_BARS)
        yield number, [cell.strip() for cell in inner.split("|")] if "|" in plain else []


def _rows(parts: Iterator[_Part]) -> Iterator[tuple[int, list[str]]]:
    """The names, then the rows; what stands on several lines between drawn ones is one row."""
    blocks = list(_blocks(islice(parts, SAMPLED)))
    # A grid has a line behind each row.
    grid = len(blocks) > 3 or (len(blocks) > 2 and len(blocks[1]) == 1)
    for place, block in enumerate(_blocks(_again(blocks, parts))):
        if place == 0 or grid:
            told = [cells for n, (_, cells) in enumerate(block) if not n or not _are_types(cells)]
            joined = (" ".join(filter(None, cells)) for cells in zip(*told, strict=False))
            yield block[0][0], list(joined)
            continue
        for number, cells in block:
            if not _are_types(cells):
                yield number, cells


def _are_types(cells: list[str]) -> bool:
    return all(map(_TYPE.fullmatch, cells))


def _again(blocks: list[list[tuple[int, list[str]]]], parts: Iterator[_Part]) -> Iterator[_Part]:
    """What was looked at, and the rest."""
    for place, block in enumerate(blocks):
        if place:
            yield block[0][0], None
        yield from block
    yield from parts


def _blocks(parts: Iterator[_Part]) -> Iterator[list[tuple[int, list[str]]]]:
    """The lines between drawn ones."""
    block: list[tuple[int, list[str]]] = []
    for number, cells in parts:
        if cells is not None:
            block.append((number, cells))
        elif block:
            yield block
            block = []
    if block:
        yield block
