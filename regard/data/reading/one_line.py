"""Pairs in a single line, as Quizlet exports a set of cards: `a dog<tab>ein Hund;a cat<tab>…`."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.tables import Listed, PlacedRow

FEWEST = 8
"""Pairs from which on signs that stand in prose too divide them."""
_FEW = 3
_BETWEEN_PAIRS = (";", "|", "||", ";;")
_BETWEEN_SIDES = ("\t", ",", " - ", " – ", " = ", ":")
MOST_WORDS = 5
"""Words of a side on average, where the signs stand in prose too."""


def one_line(path: Path, encoding: str) -> Listed | None:
    """Such a file as a table without names, None for another file."""
    filled = [line for line in islice(lines(path, encoding), 50) if line.strip()]
    if len(filled) != 1:
        return None
    for outer in _BETWEEN_PAIRS:
        for inner in _BETWEEN_SIDES:
            pairs = _pairs(filled[0], outer, inner)
            words = sum(len(side.split()) for pair in pairs for side in pair)
            short = inner == "\t" or words <= 2 * MOST_WORDS * len(pairs)
            if short and len(pairs) >= (_FEW if inner == "\t" else FEWEST):
                said = (f"pairs in one line, {outer} between them",)
                return Listed(path, ("1", "2"), _made(pairs), said)
    return None


def _pairs(line: str, outer: str, inner: str) -> list[tuple[str, ...]]:
    """The pairs, none where a part of the line is none."""
    parts = [part.strip(" ") for part in line.split(outer)]
    found = [tuple(side.strip() for side in part.split(inner)) for part in parts if part]
    return found if all(len(pair) == 2 and all(pair) for pair in found) else []


def _made(pairs: list[tuple[str, ...]]) -> Callable[[Path], Iterator[PlacedRow]]:
    return lambda file: ((f"{file} pair {n}", pair) for n, pair in enumerate(pairs, 1))
