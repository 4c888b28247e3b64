"""The attention of fixed examples over a run: as many looks at each as a page can hold.

The last look stands in the page. The earlier ones are data, which the page's script shows when the
slider is moved.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regard.view.frame import MOST_TOKENS, Frame, frame_of, has_weights
from regard.view.letters import as_shown
from regard.view.page import obeyed_by_none
from regard.view.terminal import visible

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

Weights = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Film:
    """The looks at one example, in their order.

    Args:
        layout: how it is drawn: as shaded `text` where there is one weight to each token; as a
            `table` with the input above; as one with the input `down` the side, where inputs are
            sentences; as a `picture` of very many weights.
        full: the largest weight, whose shade is the strongest.
    """

    frames: tuple[Frame, ...]
    layout: str
    full: float


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
    return Film(tuple(kept), layout, full or 1.0)


def with_weights(samples: Sequence[Mapping[str, Any]]) -> int:
    """How many examples of the last look have weights."""
    return sum(has_weights(each) for look in samples[-1:] for each in look["samples"])


def data(film: Film) -> dict[str, Any]:
    """A film for the script; a weight w is the byte 255 sqrt(w), which is exact to 0.004.

    What is equal in the look before is not said again.
    """
    shown: list[dict[str, Any]] = []
    known: dict[str, Any] = {}
    for frame in film.frames:
        entries: dict[str, Any] = {
            "inputs": [visible(token) for token in frame.inputs],
            "outputs": [visible(token) for token in frame.outputs],
        }
        if film.layout == "text":
            entries["pieces"] = [obeyed_by_none(part) for two in frame.pieces[0] for part in two]
        about = {"step": frame.step, "epoch": frame.epoch, "answer": obeyed_by_none(frame.answer)}
        new = {name: value for name, value in entries.items() if known.get(name) != value}
        shown.append(about | new | {"weights": _packed(frame.weights)})
        known |= new
    return {"layout": film.layout, "full": film.full, "frames": shown}


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


def _packed(weights: Weights) -> str:
    return base64.b64encode(np.rint(255 * np.sqrt(weights)).astype(np.uint8).tobytes()).decode()


def _evenly(looks: Sequence[Any], most: int) -> list[Any]:
    if len(looks) <= most:
        return list(looks)
    if most == 1:
        return [looks[-1]]
    return [looks[round(i * (len(looks) - 1) / (most - 1))] for i in range(most)]
