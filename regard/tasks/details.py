"""What an evaluation tells besides its metrics: tables, examples and remarks, as plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Cell = str | int | float


@dataclass(frozen=True)
class DetailTable:
    """A table; the first cell of each row names it.

    Args:
        name: by which a program finds it, such as `confusion`.
        title: for people.
        columns: what stands above.
        note: what is not in it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class JudgedExample:
    """An example, and what was answered.

    Args:
        loss: by which it is among the worst; greater is worse.
        probability: of the answer, None where the network does not say.
    """

    input: str
    wanted: str
    answered: str
    loss: float
    probability: float | None = None


@dataclass(frozen=True)
class Details:
    """Tables, the worst examples with the worst first, and remarks.

    `measured` says of a metric how it was measured, where there is more than one way.
    """

    tables: tuple[DetailTable, ...] = ()
    worst: tuple[JudgedExample, ...] = ()
    notes: tuple[str, ...] = ()
    measured: Mapping[str, str] = field(default_factory=dict)

    def entries(self) -> dict[str, Any]:
        """All of it as plain values that fit into JSON, tables by their names."""
        return {
            "tables": {
                table.name: {
                    "columns": list(table.columns),
                    "rows": [list(row) for row in table.rows],
                    **({"note": table.note} if table.note else {}),
                }
                for table in self.tables
            },
            "worst": [asdict(example) for example in self.worst],
            "notes": list(self.notes),
            "measured": dict(self.measured),
        }


def worst_of(
    losses: Sequence[float], count: int, example: Callable[[int], JudgedExample]
) -> tuple[JudgedExample, ...]:
    """The examples of the greatest losses, the greatest first; the first of equal ones.

    >>> found = worst_of([1.0, 3.0], 1, lambda n: JudgedExample(str(n), "a", "b", 3.0))
    >>> found[0].input
    '1'
    """
    order = sorted(range(len(losses)), key=lambda n: -losses[n])
    return tuple(example(n) for n in order[:count])
