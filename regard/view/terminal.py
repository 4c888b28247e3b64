"""An alignment drawn in the terminal, readable without color and in every script."""

import unicodedata
from collections.abc import Sequence

from jaxtyping import Float
from rich.cells import cell_len
from torch import Tensor

SHADES = "·░▒▓█"
LEFT_TO_RIGHT = "\u200e"
_JOINERS = "\u200c\u200d"
_OBEYED = ("Cc", "Cs", "Zl", "Zp")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def alignment(
    weights: Float[Tensor, "q_len k_len"], outputs: Sequence[str], inputs: Sequence[str]
) -> str:
    """One line per input token, one column per output token; the darker, the larger the weight.

    The five shades `·░▒▓█` stand for weights below 0.1, 0.3, 0.5, 0.7 and above; a weight below
    0.02 is left blank. Inputs run downwards, so that right-to-left and wide characters, and marks
    that would join their neighbors, each have a line of their own and cannot shift a column.

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
    widths = [max(2, cell_len(column) + 1) for column in columns]
    margin = max(map(cell_len, labels), default=0)
    lines = [_line("", columns, widths, margin)]
    for label, row in zip(labels, weights.mT.tolist(), strict=True):
        cells = [shade(weight) * 2 for weight in row]
        lines.append(_line(label, cells, widths, margin))
    return "\n".join(lines)


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


def printable(text: str) -> str:
    r"""A text without what a terminal would obey: control characters, escapes, forced directions.

    >>> printable("3\x1b[31m mars\n2026")
    '3[31m mars2026'
    """
    kept = (c for c in text if c not in _TURNING)
    return "".join(c for c in kept if unicodedata.category(c) not in _OBEYED)


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


def _line(label: str, cells: Sequence[str], widths: Sequence[int], margin: int) -> str:
    # The marks keep a terminal that reorders right-to-left text from turning the line around.
    if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in label):
        label = LEFT_TO_RIGHT + label + LEFT_TO_RIGHT
    body = "".join(_fill(cell, width) for cell, width in zip(cells, widths, strict=True))
    return (_fill(label, margin + 2) + body).rstrip()


def _fill(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
