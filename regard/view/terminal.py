"""An alignment drawn in the terminal, readable without color and in every script."""

import unicodedata
from collections.abc import Sequence

from jaxtyping import Float
from rich.cells import cell_len
from torch import Tensor

from regard.view.letters import folded, runs_right_to_left
from regard.view.running import Piece

SHADES = "·░▒▓█"
LEFT_TO_RIGHT = "\u200e"
GAP = 2
"""Cells between an input and its weights."""
MIN_NAME, MOST_NAME = 4, 16
"""Cells that the name of an input has at least, and that of one of several outputs at most."""
_JOINERS = "\u200c\u200d"


def alignment(
    weights: Float[Tensor, "q_len k_len"],
    outputs: Sequence[str],
    inputs: Sequence[str],
    width: int | None = None,
) -> str:
    """One line per input token, one column per output token; the darker, the larger the weight.

    The five shades `·░▒▓█` stand for weights below 0.1, 0.3, 0.5, 0.7 and above; a weight below
    0.02 is left blank. Inputs run downwards, so that right-to-left and wide characters, and marks
    that would join their neighbors, each have a line of their own and cannot shift a column.

    Args:
        width: cells of a line; outputs that do not fit beside each other stand below, with the
            inputs once more, and long names are folded. As wide as it may be if None.

    Raises `ValueError` when the numbers of tokens are not those of the weights.

    >>> import torch
    >>> print(alignment(torch.tensor([[0.9, 0.1], [0.0, 1.0]]), "26", ["zwei", "6"]))
          2 6
    zwei  ██
    6     ░░██
    """
    if tuple(weights.shape) != (len(outputs), len(inputs)):
        raise ValueError(
            f"weights of shape {list(weights.shape)} do not belong to {len(outputs)} outputs and "
            f"{len(inputs)} inputs"
        )
    columns = [visible(token) for token in outputs]
    labels = [visible(token) for token in inputs]
    margin = max(map(cell_len, labels), default=0)
    if width is None:
        return _band(weights, columns, labels, margin, 0)
    margin = min(margin, max(MIN_NAME, width // 2 - GAP))
    room = max(MIN_NAME + 1, width - margin - GAP)
    longest = room - 1 if len(columns) == 1 else min(MOST_NAME, room - 1)
    parts: list[list[int]] = [[]]
    used = 0
    for number, column in enumerate(columns):
        wide = _wide(column, longest)
        if used + wide > room and parts[-1]:
            parts.append([])
            used = 0
        parts[-1].append(number)
        used += wide
    return "\n\n".join(
        _band(weights[part], [columns[n] for n in part], labels, margin, longest) for part in parts
    )


def underlined(pieces: Sequence[Piece], weights: Float[Tensor, " k_len"], width: int) -> str:
    """A text in lines of at most `width` cells, under each token the shade of its weight.

    Shades are relative to the largest weight, which is named; a line without one is left out.

    >>> import torch
    >>> print(underlined([("", "so"), (" ", "bad")], torch.tensor([0.1, 0.4]), 20))
    so bad
    ░░ ███
    (█ stands for 0.400)
    """
    full = max(float(weights.max()), 1e-12)
    lines, shades, used = [""], [""], 0
    for (before, token), weight in zip(pieces, weights.tolist(), strict=True):
        gap = " " if before and used else ""
        parts = folded(visible(token), max(1, width)) if token else []
        for number, part in enumerate(parts):
            wide = cell_len(part)
            if number or used + len(gap) + wide > width:
                lines.append("")
                shades.append("")
                gap, used = "", 0
            lines[-1] += gap + part
            shades[-1] += gap + shade(weight / full) * wide
            used += len(gap) + wide
    drawn = [line.rstrip() for pair in zip(lines, shades, strict=True) for line in pair]
    return "\n".join([*filter(None, drawn), f"(█ stands for {full:.3f})"])


def shade(weight: float) -> str:
    """The character for a weight between 0 and 1.

    >>> [shade(weight) for weight in (0.0, 0.05, 0.2, 0.4, 0.6, 1.0)]
    [' ', '·', '░', '▒', '▓', '█']
    """
    if not weight >= 0.02:
        return " "
    return SHADES[min(4, int(weight * 5 + 0.5))]


def visible(token: str) -> str:
    r"""A token that can be printed by itself: it cannot move the cursor or join a neighbor.

    Spaces that would not be seen become `␣`, marks get a circle to sit on, and whatever a terminal
    would obey or hide (control characters, direction marks, surrogates) becomes its code point.

    What joins letters inside a token stays, so that it looks as it does in its text.

    >>> [visible(token) for token in (" ", "a b ", "\u0301", "\x1b", "\u200f", "\u200d")]
    ['␣', 'a b␣', '◌́', 'U+001B', 'U+200F', 'U+200D']
    """
    # Between words a space is seen as it is; alone or at an end it would not be.
    inner = token.strip(" ")
    at = token.index(inner) if inner else 0
    parts = (token[:at], inner, token[at + len(inner) :])
    shown = "".join(map(_visible_character, parts[0])) + "".join(
        character if character == " " or _joins(inner, place) else _visible_character(character)
        for place, character in enumerate(inner)
    )
    shown += "".join(map(_visible_character, parts[2]))
    return "◌" + shown if shown and unicodedata.category(shown[0])[0] == "M" else shown


def _joins(token: str, place: int) -> bool:
    """Whether what stands there only tells its neighbors how to be written, as in 👩‍👧."""
    return token[place] in _JOINERS and 0 < place < len(token) - 1


def _visible_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return "␣"
    if category[0] == "C" or category in ("Zl", "Zp"):
        return f"U+{ord(character):04X}"
    return character


def held(text: str) -> str:
    """A text between marks that keep a terminal from turning what stands around it."""
    return f"{LEFT_TO_RIGHT}{text}{LEFT_TO_RIGHT}" if runs_right_to_left(text) else text


def _band(
    weights: Tensor, columns: Sequence[str], labels: Sequence[str], margin: int, longest: int
) -> str:
    """Lines of inputs under the names of some outputs; a `longest` of 0 folds no name."""
    widths = [_wide(column, longest) for column in columns]
    heads = [folded(column, longest) if longest else [column] for column in columns]
    high = max(map(len, heads), default=1)
    lines = []
    for number in range(high):
        # Names stand on their columns.
        cells = [
            head[number - high + len(head)] if number >= high - len(head) else "" for head in heads
        ]
        lines.append(_line("", cells, widths, margin))
    for label, row in zip(labels, weights.mT.tolist(), strict=True):
        first, *rest = folded(label, margin) if longest else [label]
        lines.append(_line(first, [shade(weight) * 2 for weight in row], widths, margin))
        lines += [_line(part, [], [], margin) for part in rest]
    return "\n".join(lines)


def _wide(column: str, longest: int) -> int:
    size = max(map(cell_len, folded(column, longest) if longest else [column]))
    return max(2, size + 1)


def _line(label: str, cells: Sequence[str], widths: Sequence[int], margin: int) -> str:
    shown = [
        held(cell) + " " * (wide - cell_len(cell)) for cell, wide in zip(cells, widths, strict=True)
    ]
    return (held(label) + " " * (margin + GAP - cell_len(label)) + "".join(shown)).rstrip()
