"""A file of what a trained network is asked: a table, or plain text with a line for each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from regard.data.reading.babi import Babi, is_babi
from regard.data.reading.baskets import basket_table
from regard.data.reading.compression import inner_suffix, is_packed
from regard.data.reading.every_row import every_row
from regard.data.reading.formats import open_table
from regard.data.reading.histories_file import history_table
from regard.data.reading.json_tables import KEYS_FROM, JSONLines, goes_on, keys_of
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.lines import Line, every_line, open_text
from regard.data.reading.tables import ENDINGS, Listed, PlacedRow, Table
from regard.data.reading.text_encoding import AUTO, encoding_of
from regard.data.schema import Schema

_LINES_LOOKED_AT = 200
_MARKS = (",", "\t", ";")
_WORDS_OF_NAME = 3
_BINARY = (".parquet", ".arrow", ".xlsx")


def input_table(
    path: Path, schema: Schema, lexicon: Lexicon, names: Sequence[str], encoding: str
) -> Table | None:
    """The table in a file, None for plain text.

    Args:
        names: of columns that are looked for.

    Raises `ValueError` for a format that is recognized and not read.
    """
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty")
    suffix = inner_suffix(path)
    spelled = encoding
    if encoding == AUTO:
        spelled = "utf-8" if suffix in _BINARY else encoding_of(path)
    if schema.babi and not is_packed(path) and is_babi(path):
        return _stories(path, schema, spelled)
    if schema.item_file:
        history = history_table(path, spelled) or basket_table(path, spelled, asked=True)
        if history and {"user", "items"} <= {*names}:
            return history
    if suffix in (".jsonl", ".ndjson") and not goes_on(path, spelled):
        table = _json_lines(path, spelled)
        if table.names:
            return table
    if suffix not in ENDINGS and _is_damaged_text(path, spelled):
        return None
    return open_table(path, spelled, lexicon, names, schema.running_text)


def names_columns(line: str, roles: Sequence[Sequence[str]]) -> str | None:
    r"""The mark between the names in a first line of a table, None for a line of text.

    Args:
        roles: for each role of what is asked, the names that its column may have.

    >>> names_columns("id,text", [["text"]]), names_columns("so, text", [["text"]])
    (',', None)
    """
    for mark in _MARKS:
        cells = [cell.removeprefix('"').removesuffix('"') for cell in line.strip().split(mark)]
        lower = [cell.lower() for cell in cells]
        if len(cells) < 2 or len({*lower}) < len(cells) or not all(map(_is_name, cells)):
            continue
        if all(any(name.lower() in lower for name in names) for names in roles):
            return mark
    return None


def _is_name(cell: str) -> bool:
    return cell == cell.strip() and 0 < len(cell.split()) <= _WORDS_OF_NAME


def input_lines(path: Path, encoding: str) -> Iterator[Line]:
    """Every line of a file of plain text, the blank ones too."""
    with open_text(path, encoding) as (file, spelled):
        yield from every_line(file, str(path), spelled)


def _json_lines(path: Path, encoding: str) -> JSONLines:
    """Such a file, also where some of its first lines are no objects."""
    some = islice(every_row(JSONLines(path, encoding, ())), KEYS_FROM)
    return JSONLines(path, encoding, *keys_of(row.kept for row in some))


def _is_damaged_text(path: Path, encoding: str) -> bool:
    """Whether a file is text but for some lines, which are no reason to refuse the others."""
    found = list(islice(input_lines(path, encoding), _LINES_LOOKED_AT))
    unread = sum(bool(line.why) for line in found)
    return 0 < unread <= len(found) / 2


def _stories(path: Path, schema: Schema, encoding: str) -> Listed:
    """The questions of a file in the format of bAbI."""

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, row in enumerate(Babi(file, encoding).read(Counter()), 1):
            yield f"{file} question {number}", row

    names = tuple(column.name for column in schema.columns)
    return Listed(path, names, rows, ("stories in the format of bAbI",))
