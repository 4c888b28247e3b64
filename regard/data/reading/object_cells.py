"""Tables whose cells spell objects, `{"text": ["Oslo"]}`: what is in these as columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from regard.data.reading.every_row import every_row
from regard.data.reading.json_tables import flattened
from regard.data.reading.literals import object_in
from regard.data.reading.profile import is_missing
from regard.data.reading.tables import OverTable, PlacedRow, Table

SAMPLED = 20


@dataclass(frozen=True)
class ObjectCells(OverTable):
    """A table with the columns within its cells, `answers.text`, in place of those that hold them.

    Args:
        table: with the cells as they are spelled.
        within: each column and the one of the table that it is in.
    """

    within: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.within)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        roots = list(dict.fromkeys(self.within[name] for name in names))
        for where, cells in self.table.rows(roots):
            flat = self.opened(dict(zip(roots, cells, strict=True)), where)
            yield where, tuple([flat.get(name) for name in names])

    def opened(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The same with what is within objects in place of them."""
        flat: dict[str, Any] = {}
        for root, cell in values.items():
            flat.update({root: cell} if root in self.within else _opened(root, cell, where))
        return flat


def with_objects(table: Table) -> Table:
    """The same table, opened where all the first cells of a column spell objects."""
    # A row that cannot be read is said when it is its turn, with those before it.
    sample = [row.values for row in islice(every_row(table), SAMPLED) if not row.why]
    within: dict[str, str] = {}
    for name in table.names:
        values = (row.get(name) for row in sample)
        filled = [value for value in values if not is_missing(value)]
        objects = [object_in(value) for value in filled if isinstance(value, str)]
        found = [each for each in objects if each]
        opened = bool(found) and len(found) == len(filled)
        inner = [key for each in found for key in flattened({name: each})] if opened else [name]
        within.update(dict.fromkeys(inner, name))
    plain = all(name == root for name, root in within.items())
    return table if plain else ObjectCells(table, within)


def _opened(name: str, cell: Any, where: str) -> dict[str, Any]:
    if is_missing(cell):
        return {}
    found = object_in(cell) if isinstance(cell, str) else None
    if found is None:
        raise ValueError(
            f"{where}: {name!r} is an object in the rows above; it is {str(cell)[:40]!r}"
        )
    return flattened({name: found})
