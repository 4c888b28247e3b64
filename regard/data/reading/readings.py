"""What a table may be read as: the columns of each role, and what is known of the columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from shlex import quote
from typing import Any

from regard.data.reading.aligned import Aligned, aligned_columns
from regard.data.reading.cells import Bound
from regard.data.reading.fits import PARTLY, name_fit
from regard.data.reading.profile import Holds, Profile
from regard.data.reading.spaced_tags import are_spaced_codes
from regard.data.schema import Column, Schema

TELLING = (
    Holds.TEXT,
    Holds.LABEL,
    Holds.FLAG,
    Holds.NUMBER,
    Holds.LISTED,
    Holds.WORDS,
    Holds.AMOUNT,
)
"""What a column holds that nobody leaves out without having looked at it."""


@dataclass(frozen=True)
class Reading:
    """What a table is read as: a task, the columns of each of its roles, and how sure that is."""

    schema: Schema
    bounds: tuple[Bound, ...]
    score: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        return tuple(dict.fromkeys(name for bound in self.bounds for name in bound.columns))

    @property
    def names(self) -> tuple[str, ...]:
        """What the roles' columns are called, a role's own name for one that is missing."""
        roles = zip(self.bounds, self.schema.columns, strict=False)
        return tuple(bound.name or role.name for bound, role in roles)

    def options(self) -> str:
        """The options of the command line that ask for this reading."""
        said = [
            f"--{role.asked} {quote(bound.name)}"
            for bound, role in zip(self.bounds, self.schema.columns, strict=False)
            if bound.columns and not role.optional
        ]
        return " ".join([f"--task {self.schema.task}", *said])


@dataclass(frozen=True)
class Columns:
    """The first rows of a table, column by column, and what the caller said of them."""

    where: str
    values: Mapping[str, Sequence[Any]]
    profiles: tuple[Profile, ...]
    asked: Mapping[str, tuple[str, ...]]
    spaced: frozenset[str] = frozenset()
    """Those that hold several labels in a cell, with spaces between."""
    known: frozenset[str] = frozenset()
    """Those that are called as a role of some task is, and so are hardly of another one."""

    def profile(self, name: str) -> Profile:
        """What a column holds."""
        return next(each for each in self.profiles if each.name == name)

    def says(self, role: Column, name: str) -> float:
        """How well a name says the role, where no other one is called so."""
        points = name_fit(role, name)
        return 0.0 if points <= PARTLY and name in self.known else points

    @cached_property
    def histories(self) -> frozenset[str]:
        """Those that hold several items in a cell, as of a user who has one row."""
        lists = (p.name for p in self.profiles if p.holds in (Holds.LISTED, Holds.WORDS))
        codes = (name for name, values in self.values.items() if are_spaced_codes(values))
        return frozenset((*lists, *codes))

    @cached_property
    def counters(self) -> frozenset[str]:
        """Those that number the rows of which another one says the same, as several captions."""
        numbers = (p.name for p in self.profiles if p.holds is Holds.WHOLE and p.distinct > 2)
        found = {name: [str(value) for value in self.values[name]] for name in numbers}
        return frozenset(
            name
            for name, texts in found.items()
            if any(_counts(texts, self.values[each]) for each in self.values if each != name)
        )

    @cached_property
    def aligned(self) -> tuple[Aligned, ...]:
        """Columns of words and of their tags."""
        return aligned_columns(self.profiles, self.values)

    def place(self, name: str) -> int:
        """Where a column stands in the table."""
        return list(self.values).index(name)

    @property
    def unnamed(self) -> bool:
        """Whether the columns have no names but their numbers."""
        return all(each.name.isdigit() for each in self.profiles)


def is_own(column: Profile) -> bool:
    """Whether a column says of each row something of its own, such as its number or its file."""
    return column.unique and column.holds not in (Holds.TEXT, Holds.AMOUNT)


def _counts(numbers: Sequence[str], groups: Sequence[Any]) -> bool:
    """Whether numbers go up by one while a value stays, and begin again with the next one."""
    rows = list(zip(pairwise(numbers), pairwise(groups), strict=True))
    ends = sum(one != two for _, (one, two) in rows)
    return 1 < ends < len(rows) and all(
        (b == numbers[0]) if one != two else (a.isdigit() and b == str(int(a[:9]) + 1))
        for (a, b), (one, two) in rows
    )
