"""Blocks of `regard.vision` as options of networks, by name."""

from typing import Annotated, Any

from regard._nearest import nearest
from regard._printable import shown
from regard._spelling import Spelled, parse
from regard.vision import BLOCKS


class _Named:
    """The mark of a field that holds the name of a block, with its arguments."""

    def converted(self, name: str, value: Any) -> str:
        """The name as it is spelled; raises `ValueError` for one that is not there."""
        if not isinstance(value, (str, Spelled)):
            raise TypeError(f"{name} must be the name of a block, such as se, got {shown(value)}")
        spelled = parse(value) if isinstance(value, str) else value
        if spelled.name not in BLOCKS:
            raise ValueError(f"there is no {name} {shown(spelled.name)}: {_near(spelled.name)}")
        return str(spelled)


BlockName = Annotated[str, _Named()]
"""The name of a block of `regard.vision`: `se`, `se(reduction=8)`."""


def _near(name: str) -> str:
    return nearest(name, BLOCKS, {})
