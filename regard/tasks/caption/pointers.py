"""Where the things are that words of a caption name: which tokens should look into which box."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from regard.data.encoding.decoded import Size
from regard.data.encoding.pictures import LONGEST
from regard.data.encoding.tokenizer import Tokenizer

Pointers = Float[np.ndarray, "n 7"]
"""A row of the data, its first token and the one behind its last, left, top, right and bottom.

The edges are shares of what a network reads of a picture.
"""
NONE: Pointers = np.zeros((0, 7), dtype=np.float32)


def pointers_of(
    boxes: str, caption: str, row: int, kept: Size, size: int, tokenizer: Tokenizer
) -> Pointers:
    r"""What a cell of boxes says: `circle 0 0 0.5 0.5` for each word, with tabs between.

    The edges (left, top, right, bottom) are shares of a whole picture. A box of which a network
    reads nothing is left out, and so are those of a picture too long to be kept whole.

    Args:
        kept: height and width that the picture is kept with.
        size: height and width of its middle, which a network reads.

    Raises `ValueError` for what is no box, and a word that the caption does not have.

    >>> tokenizer = Tokenizer.train(["a red cat"], "words")
    >>> pointers_of("cat 0 0 0.5 1", "a red cat", 0, (8, 8), 8, tokenizer).tolist()
    [[0.0, 2.0, 3.0, 0.0, 0.0, 0.5, 1.0]]
    """
    cells = [cell for cell in boxes.split("\t") if cell.strip()]
    if not cells or max(kept) >= LONGEST * min(kept):
        return NONE
    spans, behind, found = tokenizer.spans(caption), 0, list[tuple[float, ...]]()
    for cell in cells:
        word, edges = _box(cell, row)
        place = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(caption, behind)
        if place is None:
            raise ValueError(
                f"row {row + 1}: the caption {caption!r} has no {word!r} behind its first {behind} "
                "characters, and a box speaks of it; boxes stand in the order of their words"
            )
        behind = place.end()
        tokens = [n for n, (a, b) in enumerate(spans) if a < place.end() and b > place.start()]
        seen = _seen(edges, kept, size)
        if tokens and seen[0] < 1 and seen[1] < 1 and seen[2] > 0 and seen[3] > 0:
            found.append((row, tokens[0], tokens[-1] + 1, *seen))
    return np.array(found, dtype=np.float32).reshape(-1, 7)


def points_right(maps: Float[np.ndarray, "q_len height width"], pointer: np.ndarray) -> bool:
    """Whether the place that the tokens of a word looked at most has its middle in the word's box.

    >>> maps = np.array([[[0.2, 0.8]]])
    >>> points_right(maps, np.array([0, 0, 1, 0.5, 0, 1, 1]))
    True
    """
    _, first, behind = (int(each) for each in pointer[:3])
    left, top, right, bottom = pointer[3:]
    looked = maps[first:behind].mean(0)
    row, column = np.unravel_index(int(looked.argmax()), looked.shape)
    down, across = (row + 0.5) / looked.shape[0], (column + 0.5) / looked.shape[1]
    return bool(left <= across <= right and top <= down <= bottom)


def _box(cell: str, row: int) -> tuple[str, tuple[float, ...]]:
    word, *numbers = cell.rsplit(maxsplit=4)
    try:
        edges = tuple(map(float, numbers))
    except ValueError:
        edges = ()
    whole = len(edges) == 4 and all(0 <= edge <= 1 for edge in edges)
    if not (whole and edges[0] < edges[2] and edges[1] < edges[3]):
        raise ValueError(
            f"row {row + 1}: {cell!r} is no box; write a word of the caption and the left, top, "
            "right and bottom edge of what it names, from 0 to 1, such as 'dog 0.5 0 1 0.5'"
        )
    return word, edges


def _seen(edges: Sequence[float], kept: Size, size: int) -> tuple[float, ...]:
    """Shares of a whole picture as shares of its middle."""
    (height, width), (left, top, right, bottom) = kept, edges
    across = [(x * width - (width - size) / 2) / size for x in (left, right)]
    down = [(y * height - (height - size) / 2) / size for y in (top, bottom)]
    return across[0], down[0], across[1], down[1]
