"""Texts in the order in which people count."""

import re

_COMPARED = 100
"""Characters that are looked at."""


def natural(text: str) -> list[tuple[int, str]]:
    """A key to sort by that puts 2 before 10.

    >>> sorted(["qa10", "qa2", "qa1"], key=natural)
    ['qa1', 'qa2', 'qa10']
    """
    pieces = re.split(r"([0-9]+)", text[:_COMPARED])
    return [(int(piece) if piece.isdecimal() else 0, piece) for piece in pieces]
