"""The attention of fixed examples over a run: as many looks at each as a page can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from regard.view.frame import MOST_READ, MOST_TOKENS, Frame, frame_of, has_weights
from regard.view.letters import as_shown, letters

MOST_LOOKS = 24
MOST_FILMS = 6
MOST_CELLS = 4 * MOST_TOKENS**2
"""Greatest number of weights in the last looks together."""
MOST_IN_FILM = 100_000
"""Greatest number of weights in the looks at one example, unless there is but one."""
MOST_ROWS = 200
"""Greatest number of lines of a table; what needs more is drawn as a picture."""
MOST_ABOVE, USUAL_ABOVE = 40, 10
"""Greatest length of an input that is written above its column, and of inputs in the mean."""
BAND = 48
"""Greatest number of columns side by side."""
TALL = 2
"""Letters of a name that fit over a column."""


@dataclass(frozen=True)
class Film:
    """The looks at one example, in their order.

    Args:
        layout: how it is drawn: as shaded `text` where there is one weight to each token; as a
            `table` with the input above; as one with the input `down` the side, where inputs are
            sentences; as a `picture` of very many weights.
        full: the largest weight, whose shade is the strongest.
        picture: whose patches the inputs are, as a page reads it.
    """

    frames: tuple[Frame, ...]
    layout: str
    full: float
    picture: Mapping[str, Any] | None = None


def films(samples: Sequence[Mapping[str, Any]]) -> list[Film]:
    """The looks at each example that has weights, thinned evenly, the first and last look kept."""
    found: dict[int, list[Frame]] = {}
    for look in _evenly(samples, MOST_LOOKS):
        for number, sample in enumerate(look["samples"]):
            if len(found) == MOST_FILMS and number not in found:
                continue
            frame = frame_of(look, sample)
            if frame is not None:
                found.setdefault(number, []).append(frame)
    made, cells = [], 0
    for number in sorted(found):
        cells += _cells(found[number][-1])
        if cells <= MOST_CELLS:
            made.append(film_of(found[number]))
    return made


def film_of(frames: Sequence[Frame]) -> Film:
    """The looks at one example, as few as a page may hold, and how they are drawn."""
    layout = _layout(frames)
    few = max(1, min(MOST_LOOKS, MOST_IN_FILM // max(map(_cells, frames))))
    kept = [_as_shown(f) if layout == "table" else f for f in _evenly(frames, few)]
    full = max(max(map(max, frame.weights)) for frame in kept)
    picture = next((f.picture for f in frames if f.picture is not None), None)
    return Film(tuple(kept), layout, full or 1.0, picture)


def with_weights(samples: Sequence[Mapping[str, Any]]) -> int:
    """How many examples of the last look have weights."""
    return sum(has_weights(each) for look in samples[-1:] for each in look["samples"])


def is_tall(name: str) -> bool:
    """Whether a name is too long to stand over a narrow column."""
    return len(letters(name)) > TALL


def notes(film: Film) -> list[str]:
    """What is left out of a drawing, in words."""
    inputs, outputs = (max(f.left_out[side] for f in film.frames) for side in (0, 1))
    most = MOST_READ if film.layout == "text" else MOST_TOKENS
    found = []
    if inputs:
        found.append(f"Only the first {most:,} of {most + inputs:,} inputs are drawn.")
    if outputs:
        whole = MOST_TOKENS + outputs
        found.append(f"Only the first {MOST_TOKENS:,} of {whole:,} outputs are drawn.")
    return found


def bands(columns: int) -> list[range]:
    """Columns in as few rows of tables as they need, of about equal width.

    >>> bands(3), bands(50)
    ([range(0, 3)], [range(0, 25), range(25, 50)])
    """
    wide = -(-columns // -(-columns // BAND))
    return [range(start, min(start + wide, columns)) for start in range(0, columns, wide)]


def _layout(frames: Sequence[Frame]) -> str:
    high, wide = (max(len(names) for names in sides) for sides in _sides(frames))
    sizes = [len(token) for frame in frames for token in frame.inputs]
    if sum(sizes) > USUAL_ABOVE * len(sizes) or (max(sizes) > MOST_ABOVE and high > 1):
        return "down" if wide <= MOST_ROWS else "picture"
    if high == 1:
        return "text"
    return "table" if high * len(bands(wide)) <= MOST_ROWS else "picture"


def _sides(frames: Sequence[Frame]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    return [frame.outputs for frame in frames], [frame.inputs for frame in frames]


def _as_shown(frame: Frame) -> Frame:
    """Inputs from left to right as a line of them would stand."""
    order = as_shown(frame.inputs)
    return replace(
        frame,
        inputs=tuple(frame.inputs[n] for n in order),
        weights=tuple(tuple(row[n] for n in order) for row in frame.weights),
    )


def _cells(frame: Frame) -> int:
    return len(frame.inputs) * len(frame.outputs)


def _evenly(looks: Sequence[Any], most: int) -> list[Any]:
    if len(looks) <= most:
        return list(looks)
    if most == 1:
        return [looks[-1]]
    return [looks[round(i * (len(looks) - 1) / (most - 1))] for i in range(most)]
