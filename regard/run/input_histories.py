"""Histories of items as inputs: from a row, up to a row, or of a user known to the run."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regard.data.reading.every_row import EveryRow
from regard.data.reading.fits import name_fit
from regard.data.reading.input_columns import RoleColumns
from regard.data.reading.lexicon import suggestion
from regard.data.reading.literals import listed
from regard.data.reading.profile import is_missing
from regard.data.reading.tables import Table, called
from regard.data.schema import Schema
from regard.run.input_roles import InputRoles, RowInput

Known = Callable[[], Mapping[str, Sequence[str]]]
"""What each user of the run's own data chose, oldest first."""


@dataclass(frozen=True)
class HistoryRoles(InputRoles):
    """Inputs that are item names, oldest first.

    A cell with several items is a history. A single item together with a user is the latest of
    what that user chose in the rows so far. A user alone has the history in the run's own data.

    Args:
        schema: of the task.
        columns: of the run, and those named by the caller.
        split: the items that a text names.
        known: see `Known`.
        longest: maximum items of a history, the last ones.
    """

    schema: Schema
    columns: RoleColumns
    split: Callable[[str], Sequence[str]]
    known: Known
    longest: int

    def of_table(self, table: Table, where: str) -> tuple[RowInput, tuple[str, ...]]:
        """By the columns of items and of users, one of which may be missing."""
        user = self._column("user", table.names, where)
        item = self._column("item", table.names, where)
        if not user and not item:
            if len(table.names) > 1:
                raise ValueError(
                    f"{where} has no column of items (item) nor of users (user); name one with "
                    f"--item or --user: there are {', '.join(table.names)}"
                )
            item = table.names[0]
        if user and item:
            return self._up_to(user, item), ()
        return self._alone(user, item), ()

    def of_object(self, values: Mapping[str, Any], where: str) -> RowInput | None:
        """By the names in training, those of the roles, and their plurals."""
        keys = tuple(values)
        found = {}
        for role in ("user", "item"):
            names = (self.columns.given.get(role), self.columns.trained.get(role), role, f"{role}s")
            found[role] = next((key for n in names if n and (key := called(n, keys))), "")
        if not any(found.values()):
            return None
        return self._alone("" if found["item"] else found["user"], found["item"])

    def _column(self, role: str, names: Sequence[str], where: str) -> str:
        """The column of a role, "" for none."""
        given, trained = self.columns.given.get(role), self.columns.trained.get(role)
        if given:
            found = called(given, names)
            if found is None:
                hint = suggestion(given, names)
                raise ValueError(f"{where} has no column {given!r} ({role}); {hint}")
            return found
        if trained and (same := called(trained, names)):
            return same
        rated = [(name_fit(self.schema.column(role), each), each) for each in names]
        best, name = max(rated)
        return name if best else ""

    def _up_to(self, user: str, item: str) -> RowInput:
        chosen: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=self.longest))

        def asked(row: EveryRow) -> list[str] | None:
            several = _several(row.values.get(item))
            if several is not None:
                return several or None
            who, what = row.values.get(user), row.values.get(item)
            if is_missing(what):
                return None
            chosen[_name(who)].append(_name(what))
            return list(chosen[_name(who)])

        return asked

    def _alone(self, user: str, item: str) -> RowInput:
        def asked(row: EveryRow) -> list[str] | None:
            value = row.values.get(item or user)
            if is_missing(value):
                return None
            if item:
                several = _several(value)
                found = self.split(_name(value)) if several is None else several
                return list(found) or None
            history = self.known().get(_name(value))
            if history is None:
                raise ValueError(f"{row.where}: the run's data has no user {_name(value)!r}")
            return list(history[-self.longest :])

        return asked


def _several(value: Any) -> list[str] | None:
    """The items of a list, also of one that is spelled as Python or JSON does; None for no list."""
    found = listed(value) if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)):
        return None
    return [_name(each) for each in found if not is_missing(each)]


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
