"""Lexicon: what the columns of all known tasks are called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from regard.data.reading.languages import is_language
from regard.data.schema import Column, ColumnKind, Schema

COMMON_WORDS = frozenset(
    "text sentence label labels class source target input output question answer user item rating "
    "timestamp".split()
)
"""Words that name columns in any table, whatever the tasks that are known."""


@dataclass(frozen=True)
class Lexicon:
    """The words, in lower case, by which the columns of a table are recognized.

    Args:
        words: all of them.
        headers: those that show a first row to be a header.
        numbers: of columns that may hold numbers with a point, or dates.
        binary: of columns that may hold bytes.
        languages: whether languages name columns too.

    >>> known = Lexicon.of([Schema("rate", (Column("stars", kind=ColumnKind.FLOAT),))])
    >>> known.numbers, known.is_header(["Stars", "x"])
    (frozenset({'stars'}), True)
    """

    words: frozenset[str]
    headers: frozenset[str]
    numbers: frozenset[str]
    binary: frozenset[str]
    languages: bool

    @classmethod
    def of(cls, schemas: Iterable[Schema]) -> "Lexicon":
        """The words of these tasks."""
        schemas = tuple(schemas)
        columns = [column for schema in schemas for column in schema.columns]
        kinds = (ColumnKind.NUMBER, ColumnKind.TIME, ColumnKind.FLOAT)
        return cls(
            words=COMMON_WORDS | _called(columns),
            headers=COMMON_WORDS | _called(column for column in columns if not column.extra),
            numbers=_called(column for column in columns if column.kind in kinds),
            binary=_called(column for column in columns if column.kind is ColumnKind.BYTES),
            languages=any(schema.parallel for schema in schemas),
        )

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether a first row names columns: it has a known name, or nothing but languages."""
        if any(cell.strip().lower() in self.headers for cell in cells):
            return True
        tags = all(is_language(cell) and len(cell) <= 5 for cell in cells)
        return self.languages and len(cells) > 1 and tags


def suggestion(name: str, known: Sequence[str]) -> str:
    """A hint for a name that is not among those known.

    >>> suggestion("txt", ["text", "label"])
    'did you mean text?'
    """
    near = get_close_matches(name, list(known), 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(list(known)[:10]) or 'none'}"


def _called(columns: Iterable[Column]) -> frozenset[str]:
    return frozenset(word for column in columns for word in column.called)
