"""One matrix of captured attention in a terminal, readable without color."""

from shutil import get_terminal_size

from rich.cells import cell_len
from torch import Tensor

from regard._printable import printable
from regard.view.chosen_map import ChosenMap
from regard.view.letters import folded
from regard.view.terminal import alignment, held, shade, visible

MOST_TOKENS = 48
"""Of a matrix that is drawn as a whole; of a larger one the strongest keys of some queries."""
MOST_QUERIES, MOST_KEYS = 12, 4


def drawn_map(chosen: ChosenMap, about: str = "") -> str:
    """What it is, and a picture of it: inputs downwards, one column for each query.

    Of a matrix that is too large for that, the keys with the largest weights of some queries.
    """
    width = get_terminal_size().columns
    head = [
        part for line in (about, chosen.said) if line for part in folded(printable(line), width)
    ]
    full = max(float(chosen.weights.abs().max()), 1e-12) if chosen.weights.numel() else 1.0
    if max(chosen.weights.shape) <= MOST_TOKENS:
        queries, keys = (
            [_short(token) for token in side] for side in (chosen.queries, chosen.keys)
        )
        drawn = alignment(chosen.weights.abs() / full, queries, keys, width)
        return "\n".join([*head, "", drawn, f"(█ stands for {full:.3f})"])
    return "\n".join([*head, "", *_strongest(chosen), *_left_out(chosen)])


def _strongest(chosen: ChosenMap) -> list[str]:
    """A line for each of some queries, evenly spread: its largest weights and their keys."""
    rows = len(chosen.queries)
    shown = sorted({number * rows // MOST_QUERIES for number in range(MOST_QUERIES)})
    names = {row: _short(visible(chosen.queries[row])) for row in shown}
    wide = max(map(cell_len, names.values()))
    return [
        held(name) + " " * (wide - cell_len(name)) + _keys_of(chosen.weights[row], chosen.keys)
        for row, name in names.items()
    ]


def _keys_of(weights: Tensor, keys: tuple[str, ...]) -> str:
    values, places = weights.abs().topk(min(MOST_KEYS, len(weights)))
    found = [
        f"{shade(value)}{value:.3f} {held(_short(visible(keys[place])))}"
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
    ]
    return "  " + "   ".join(found)


def _left_out(chosen: ChosenMap) -> list[str]:
    rows, keys = chosen.weights.shape
    return [f"({min(rows, MOST_QUERIES)} of {rows:,} queries, the {MOST_KEYS} largest of {keys:,})"]


def _short(token: str) -> str:
    return token if len(token) <= 24 else visible(token[:23]) + "…"
