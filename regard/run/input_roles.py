"""Inputs of a network from the values of a row, by the roles of its task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regard.data.reading.cells import Bound, Converted, converter
from regard.data.reading.every_row import EveryRow
from regard.data.reading.input_columns import RoleColumns, input_bounds
from regard.data.reading.pictures import checked_picture
from regard.data.reading.tables import Table, called
from regard.data.schema import Cell, Column, ColumnKind, Schema

RowInput = Callable[[EveryRow], Any]
"""A row → the input; None if the row is empty. Raises `ValueError` for an invalid one."""


class InputRoles(ABC):
    """The base of readers of inputs from rows."""

    @abstractmethod
    def of_table(self, table: Table, where: str) -> tuple[RowInput, tuple[str, ...]]:
        """A function from each row of a table to an input, and a note about its columns.

        Raises `ValueError` if a column is missing.
        """

    @abstractmethod
    def of_object(self, values: Mapping[str, Any], where: str) -> RowInput | None:
        """The input from an object, None for one whose keys are not those of roles.

        Raises `ValueError` if one of several is missing.
        """


@dataclass(frozen=True)
class CellRoles(InputRoles):
    """Inputs that are the cell of one role, or the cells of several.

    Args:
        schema: of the task.
        columns: of the run, and those named by the caller.
    """

    schema: Schema
    columns: RoleColumns

    def of_table(self, table: Table, where: str) -> tuple[RowInput, tuple[str, ...]]:
        """By the names in training, by the caller's choice, else by names and contents."""
        roles, notes = input_bounds(table, where, self.schema, self.columns)
        folder = table.path.parent if table.path else Path()
        makers = [RoleCell(role, bound, folder) for role, bound in roles]
        return lambda row: _input(makers, row), notes

    def of_object(self, values: Mapping[str, Any], where: str) -> RowInput | None:
        """By the names in training, or those of the roles."""
        makers, missing = [], []
        for place, role in enumerate(self.schema.inputs):
            keys = keys_of(values, self.columns, role, place)
            if role.kind is ColumnKind.LIST and isinstance(values.get("".join(keys[:1])), str):
                role = replace(role, kind=ColumnKind.TEXT)
            makers.append(RoleCell(role, Bound(keys)))
            missing += [] if keys else [role.asked]
        if len(missing) == len(makers):
            return None
        if missing:
            raise ValueError(f"{where}: there is no {missing[0]!r}, only {', '.join(values)}")
        return lambda row: _input(makers, row)


class RoleCell:
    """The cell of a role in a row."""

    def __init__(self, role: Column, bound: Bound, folder: Path = Path()) -> None:
        self._names = bound.columns
        self._convert: Converted = converter(role, bound, folder)

    def __call__(self, row: EveryRow) -> Cell:
        values = [row.values.get(name) for name in self._names]
        return checked_picture(self._convert(values, row.where))


def _input(makers: Sequence[RoleCell], row: EveryRow) -> Any:
    cells = [cell(row) for cell in makers]
    if not any(cell if isinstance(cell, bytes) else str(cell).strip() for cell in cells):
        return None
    return cells[0] if len(cells) == 1 else tuple(cells)


def keys_of(
    values: Mapping[str, Any], columns: RoleColumns, role: Column, place: int
) -> tuple[str, ...]:
    """The keys of an object that play a role: those in training, or the name of the role."""
    said, _ = columns.of(role, place)
    for names in ([said], said.split(","), [role.asked], [role.name]):
        keys = [called(name, tuple(values)) if name else None for name in names]
        found = tuple(key for key in keys if key is not None)
        if len(found) == len(names):
            return found
    return ()
