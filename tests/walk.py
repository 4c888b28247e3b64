"""Every value in a piece of JSON, one after another, replaced by what it should not be."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

GONE = object()
WRONG = (GONE, None, True, "", "x", -1, 7, 1.5, 10**400, [], [1], {}, {"x": 1}, [[[]]])
"""A value each of every kind, and of none."""


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is a value, the whole of it first; of a list, the first entry stands for all."""
    yield above
    if isinstance(value, dict):
        for key, held in value.items():
            yield from paths(held, (*above, key))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*above, 0))


def mutated(value: Any) -> Iterator[tuple[str, Any]]:
    """What was done, and the value with that one place wrong."""
    for path in paths(value):
        for wrong in WRONG:
            if not path:
                if wrong is not GONE:
                    yield f"all of it is {wrong!r}"[:80], wrong
                continue
            changed = deepcopy(value)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            if wrong is GONE:
                del holder[path[-1]]
            else:
                holder[path[-1]] = wrong
            yield f"{path} is {'gone' if wrong is GONE else repr(wrong)}"[:80], changed
