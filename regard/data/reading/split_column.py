"""A table whose rows say themselves which part of the data they are of."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from shlex import quote
from typing import Any

from regard.data.reading.fits import spelled
from regard.data.reading.profile import as_text
from regard.data.reading.request import SPLIT_NAMES, split_named
from regard.data.reading.tables import OverTable, PlacedRow, Table, called

SAMPLED, FURTHER = 1000, 100_000
"""Rows that tell whether a column names parts; further ones where it is called so."""
MOST_FOLDS = 20
MOST_NUMBERED = 5
"""Different values of a column that divides the rows, and does not say how."""
_SURE = re.compile(
    r"(data_?(set)?_?)?splits?(_?set)?(_label|_name|_id)?"
    r"|train(ing)?(_?or)?((_val(id(ation)?)?|_dev)?(_or)?_test(ing)?|_val(id(ation)?)?)(_split)?"
)
"""What a column is called that says nothing but the part."""
_NAMES = frozenset("set subset partition part fold usage".split())
_WORDS = frozenset("train training val valid validation dev test testing".split())
"""What parts are called where the column is called anything."""
_FLAG = re.compile(
    r"(?:is|in|for)_(train|training|val|valid|validation|dev|test|testing)(?:_set|_data|_split)?"
)
_TO = {"train": "train on", "valid": "validate", "test": "test"}
_YES, _NO = frozenset("1 1.0 true yes y t".split()), frozenset("0 0.0 false no n f".split())
_FOLD = re.compile(r"(cv_?)?k?_?folds?(_?(id|no|num|number|nr|idx|index))?")
_NUMBER = re.compile(r"(?:fold)?[ _-]*(-?\d+)(?:\.0)?", re.IGNORECASE)

Values = Mapping[str, frozenset[str]]
"""What stands in the first rows of each column."""


@dataclass(frozen=True)
class Division:
    """How some columns say which part a row is of.

    Args:
        splits: those of which there are rows among the first.
        part: of the texts of these columns, None for those of no part.
        said: what is said of it.
        otherwise: what is wrong with a row of no part.
    """

    columns: tuple[str, ...]
    splits: frozenset[str]
    part: Callable[[Sequence[str]], str | None]
    said: str
    otherwise: str


@dataclass(frozen=True)
class OfSplit(OverTable):
    """The rows of a table that its columns say to be of one part."""

    division: Division
    split: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.table.names if name not in self.division.columns)

    @property
    def said(self) -> tuple[str, ...]:
        return (*self.table.said, self.division.said)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        columns = self.division.columns
        for where, cells in self.table.rows((*columns, *names)):
            texts = [_plain(cell) for cell in cells[: len(columns)]]
            part = self.division.part(texts)
            if part is not None and part not in self.division.splits:
                raise ValueError(
                    f"{where}: the first row to {_TO[part]}, and none stands in the first "
                    f"{FURTHER:,} rows; write each part into a file of its own (train.csv, "
                    "test.csv)"
                )
            if part is None:
                said = ", ".join(f"{n!r} is {t!r}" for n, t in zip(columns, texts, strict=True))
                raise ValueError(f"{where}: {said}, and {self.division.otherwise}")
            if part == self.split:
                yield where, cells[len(columns) :]


def by_split_column(
    tables: Mapping[str, Table],
    asked: Collection[str] = (),
    roles: Collection[str] = (),
) -> Mapping[str, Table]:
    """A table for each part that columns of the only one say; the same where none does.

    Parts are named (`train`), flagged (`is_test`) or numbered as folds, of which the last is
    validated on.

    Args:
        asked: columns that the caller named, which are of the data.
        roles: what columns are called that are of the data.

    Raises `ValueError` for a column that divides the rows, such as `split`, and does not say which
    are to be trained on, unless the caller named columns.
    """
    if {*tables} != {"train"}:
        return tables
    table = tables["train"]
    taken = {called(name, table.names) for name in asked}
    names = [name for name in table.names if name not in taken]
    count, values = _first(table, names, SAMPLED)
    called_so = [name for name in names if _says_parts(spelled(name))]
    if called_so and count == SAMPLED:
        # Often all rows to train on stand before those to test.
        count, more = _first(table, called_so, FURTHER)
        values |= more
    beyond = count >= FURTHER
    found = (
        _named(values, roles, beyond) or _flagged(values, table, beyond) or _folds(values, count)
    )
    if found is None:
        if not asked:
            _require_named(values, count, table)
        return tables
    return {split: OfSplit(table, found, split) for split in SPLIT_NAMES if split in found.splits}


def _first(table: Table, names: Sequence[str], most: int) -> tuple[int, dict[str, frozenset[str]]]:
    """How many rows there are among the first, and what stands in them."""
    different = [set[str]() for _ in names]
    count = 0
    for count, (_, cells) in enumerate(islice(table.rows(names), most), 1):  # noqa: B007
        for some, cell in zip(different, cells, strict=True):
            some.add(_plain(cell))
    return count, dict(zip(names, map(frozenset, different), strict=True))


def _says_parts(plain: str) -> bool:
    forms = (_SURE, _FLAG, _FOLD)
    return plain in _NAMES or any(form.fullmatch(plain) for form in forms)


def _plain(value: Any) -> str:
    return (as_text(value) or str(value)).strip()


def _named(values: Values, roles: Collection[str], more: bool) -> Division | None:
    """Parts by their names, in a column that is called after them or has nothing else in it.

    Args:
        more: there are more rows than were looked at, which may be of other parts.
    """
    for name, different in values.items():
        plain = spelled(name)
        found = {split_named(text) for text in different} - {None}
        alone = found == {"train"} and all(map(split_named, different))
        if "train" not in found or (len(found) < 2 and not (more and alone)):
            continue
        words = {text.lower() for text in different} <= _WORDS and plain not in roles and not alone
        if _SURE.fullmatch(plain) or plain in _NAMES or words:
            return Division(
                (name,),
                frozenset(filter(None, found)),
                lambda texts: split_named(texts[0]),
                f"its column {name!r} says which part a row is of",
                f"is one of {', '.join(SPLIT_NAMES)} in the other rows; mend it, or leave the "
                "column out",
            )
    return None


def _flagged(values: Values, table: Table, more: bool) -> Division | None:
    """Parts by columns of yes and no, such as `is_test`."""
    flags: dict[str, str] = {}
    for name, texts in values.items():
        match = _FLAG.fullmatch(spelled(name))
        split = split_named(match[1]) if match else None
        lower = {text.lower() for text in texts}
        both = bool(lower & _YES and lower & _NO)
        if split and split not in flags and lower and lower <= _YES | _NO and (both or more):
            flags[split] = name
    if not flags:
        return None
    splits = tuple(flags)
    rest = "train" if "train" not in flags else None
    rest = rest or next((split for split in ("test", "valid") if split not in flags), None)

    def part(texts: Sequence[str]) -> str | None:
        if not {text.lower() for text in texts} <= _YES | _NO:
            return None
        yes = [s for s, text in zip(splits, texts, strict=True) if text.lower() in _YES]
        return yes[0] if len(yes) == 1 else None if yes else rest

    columns = tuple(flags.values())
    rows = islice(table.rows(columns), FURTHER)
    found = {part([_plain(cell) for cell in cells]) for _, cells in rows}
    said = f"{_several(columns)} {'say' if columns[1:] else 'says'} which part a row is of"
    if rest in found and rest != "train":
        said += f"; the others are to {'test' if rest == 'test' else 'validate'}"
    otherwise = "a row is of one part; write 1 for it and 0 for the others"
    return Division(columns, frozenset(filter(None, found)), part, said, otherwise)


def _several(columns: Sequence[str]) -> str:
    return f"its column{'s' * (len(columns) > 1)} {' and '.join(map(repr, columns))}"


def _folds(values: Values, count: int) -> Division | None:
    """Numbered folds, of which the last is validated on; those below 0 are of none."""
    for name, different in values.items():
        numbers = {_fold(text) for text in different}
        folds = {number for number in numbers if number is not None and number >= 0}
        if not _FOLD.fullmatch(spelled(name)) or None in numbers:
            continue
        if not (2 <= len(numbers) <= MOST_FOLDS and folds and 2 * len(numbers) <= count):
            continue
        last = max(folds)

        def part(texts: Sequence[str], last: int = last) -> str | None:
            number = _fold(texts[0])
            return None if number is None else "valid" if number == last else "train"

        return Division(
            (name,),
            frozenset(("train", "valid")),
            part,
            f"its column {name!r} divides the rows into {len(numbers)} folds, of which {last} is "
            "validated on",
            "is the number of a fold in the other rows; mend it, or leave the column out",
        )
    return None


def _fold(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    return int(match[1][:9]) if match else None


def _require_named(values: Values, count: int, table: Table) -> None:
    """Raise `ValueError` for a column that divides the rows and does not name the parts."""
    for name, texts in values.items():
        different = sorted(texts - {""})
        few = 2 <= len(different) <= MOST_NUMBERED and 2 * len(different) <= count
        if few and _SURE.fullmatch(spelled(name)):
            others = [each for each in table.names if each != name]
            text = quote(others[0]) if others else "COLUMN"
            raise ValueError(
                f"{table.path} has a column {name!r} with {', '.join(different)}, which does not "
                "say which rows are to be trained on; write train, valid and test in it, or name "
                f"the columns that are learned, such as --text {text}, to learn all rows"
            )
