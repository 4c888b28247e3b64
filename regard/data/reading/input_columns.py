"""Which columns of a file a trained network is asked by: as in training, as said, or as likely."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from regard.data.reading.cells import Bound
from regard.data.reading.every_row import every_row
from regard.data.reading.fits import name_fit
from regard.data.reading.request import DataRequest
from regard.data.reading.roles import choose
from regard.data.reading.tables import OverTable, PlacedRow, Table, called
from regard.data.schema import Column, ColumnKind, Schema

TEXTS = ("text", "sentence", "source", "input", "review", "document", "content", "comment")
"""What people call a column of texts, whatever is asked of them."""


@dataclass(frozen=True)
class RoleColumns:
    """The columns of a run's roles.

    Args:
        trained: the columns that the run was trained on, by role.
        given: those that the caller named, by role, in place of these.
    """

    trained: Mapping[str, str]
    given: Mapping[str, str]

    def of(self, role: Column, place: int) -> tuple[str, bool]:
        """The columns that play a role, "" where nothing is said, and whether the caller did."""
        for said, by_caller in ((self.given, True), (self.trained, False)):
            name = said.get(role.asked) or (
                said.get(("source", "target")[place]) if place < 2 else ""
            )
            if name:
                return name, by_caller
        return "", False

    def known(self, role: Column, place: int, alone: bool) -> tuple[str, ...]:
        """The names that the column of a role may have: as was said, else as such are called.

        Args:
            alone: nothing else is asked, so that it may be called a text as well.
        """
        name, _ = self.of(role, place)
        return (*([name] if name else []), role.asked, *role.called, *(TEXTS if alone else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that was said, and its parts where it is several."""
        names = [*self.given.values(), *self.trained.values()]
        return tuple(dict.fromkeys(part for name in names for part in (name, *name.split(","))))


def input_bounds(
    table: Table, where: str, schema: Schema, asked: RoleColumns
) -> tuple[tuple[tuple[Column, Bound], ...], tuple[str, ...]]:
    """A task's input roles with the columns that play them, and what is to be said about that.

    A column that the run was trained on and that is not there is looked for by what columns are
    called and by what they hold.

    Raises `ValueError` when a column is not there that the caller named, and when none or several
    may be meant.
    """
    said, notes = [], []
    for place, role in enumerate(schema.inputs):
        name, by_caller = asked.of(role, place)
        if by_caller or (name and _are_there(name, table)):
            said.append((role.asked, name))
        elif name:
            notes.append((place, name))
    roles, bounds = _chosen(table, where, schema, tuple(said))
    told = tuple(
        f"{schema.inputs[place].asked} is read from {bounds[place].name!r}: {where} has no column "
        f"{name!r}, on which the run was trained"
        for place, name in notes
    )
    return tuple(zip(roles, bounds, strict=True)), told


def _chosen(
    table: Table, where: str, schema: Schema, said: tuple[tuple[str, str], ...]
) -> tuple[tuple[Column, ...], tuple[Bound, ...]]:
    """All input roles as they are read, and their columns."""
    twins, roles = schema.twins and len(schema.inputs) == 2, schema.inputs
    if len(roles) == 1:
        # What is asked alone is called a text as often as by the name of its role.
        words = dict.fromkeys((*roles[0].words, *TEXTS))
        roles = (replace(roles[0], words=tuple(words)),)
    kinds = [roles]
    if any(role.kind is ColumnKind.LIST for role in roles):
        # The words of a text stand for a list of words.
        kinds.append(tuple(replace(role, kind=ColumnKind.TEXT) for role in roles))
    why = ""
    for each in kinds:
        request = DataRequest((Schema(schema.task, each, twins=twins),), schema.task, said)
        try:
            return each, choose(_Readable(table), where, request).bounds
        except ValueError as error:
            why = why or str(error).replace(f"--task {schema.task} ", "")
    raise ValueError(why)


def right_bound(table: Table, where: str, schema: Schema, asked: RoleColumns) -> Bound:
    """The column of what is right; raises `ValueError` where there is none.

    Named by the caller, the one of training, or called as such columns are.
    """
    role = schema.right
    if role is None:
        raise ValueError(f"nothing is right or wrong in {schema.task}: leave out --compare")
    name, by_caller = asked.of(role, len(schema.required) - 1)
    if by_caller or (name and _are_there(name, table)):
        alone = Schema(schema.task, (replace(role, optional=False),))
        request = DataRequest((alone,), schema.task, ((role.asked, name),))
        return choose(_Readable(table), where, request).bounds[0]
    rated = sorted((-name_fit(role, each), each) for each in table.names if name_fit(role, each))
    if not rated:
        raise ValueError(
            f"{where} has no column of what is right, which --compare needs; name it with "
            f"--{role.asked} COLUMN: there are {', '.join(table.names)}"
        )
    return Bound((rated[0][1],))


@dataclass(frozen=True)
class _Readable(OverTable):
    """The rows of a table that can be read, from which it is told what its columns hold."""

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for row in every_row(self.table):
            if not row.why:
                yield row.where, tuple(row.values.get(name) for name in names)


def _are_there(name: str, table: Table) -> bool:
    if called(name, table.names):
        return True
    return all(called(part, table.names) for part in name.split(","))
