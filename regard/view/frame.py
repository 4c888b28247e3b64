"""One look at the attention of an example, whatever a file says of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.view.run_log import as_number
from regard.view.running import Piece, along

_SOURCE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/]{1,200000}={0,2}")
MOST_TOKENS = 512
MOST_READ = 2048
"""Greatest number of tokens of a text that is shown with one weight for each."""


@dataclass(frozen=True)
class Frame:
    """One look at one example; weights are between 0 and 1, `[outputs, inputs]`.

    Args:
        left_out: how many inputs and outputs there were beyond those that are kept.
        picture: whose patches the inputs are, as a page reads it, if it was written down here.
    """

    step: int
    epoch: float
    text: str
    answer: str
    wanted: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    left_out: tuple[int, int]
    picture: Mapping[str, Any] | None = None

    @property
    def pieces(self) -> tuple[list[Piece], str]:
        """The tokens where they stand in the text, and what of it was not read."""
        found, rest = along(self.inputs, self.text)
        return found, "" if self.left_out[0] else rest


def frame_of(look: Mapping[str, Any], sample: Any) -> Frame | None:
    """An example as a look found it; None for one without weights that fit its tokens."""
    if not has_weights(sample):
        return None
    inputs, outputs, rows = (sample[name] for name in ("inputs", "outputs", "weights"))
    wanted, most = sample.get("wanted"), MOST_READ if len(outputs) == 1 else MOST_TOKENS
    return Frame(
        step=int(look["step"]),
        epoch=as_number(look.get("epoch")) or 0.0,
        text=str(sample.get("input") or "").replace("\t", "\n"),
        answer=str(sample.get("answer") or ""),
        wanted=None if wanted is None else str(wanted),
        inputs=tuple(inputs[:most]),
        outputs=tuple(outputs[:MOST_TOKENS]),
        weights=_shares([row[:most] for row in rows[:MOST_TOKENS]]),
        left_out=(max(0, len(inputs) - most), max(0, len(outputs) - MOST_TOKENS)),
        picture=_picture(sample.get("picture"), len(inputs)) if len(inputs) <= most else None,
    )


def has_weights(sample: Any) -> bool:
    """Whether an example has weights that fit its tokens."""
    if not isinstance(sample, dict):
        return False
    inputs, outputs = sample.get("inputs"), sample.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        return False
    fits = _matrix(sample.get("weights"), len(outputs), len(inputs))
    return fits and _strings(inputs) and _strings(outputs)


def _picture(said: Any, inputs: int) -> Mapping[str, Any] | None:
    """An image that has so many patches, whatever a file says."""
    if not isinstance(said, dict) or said.keys() != {"source", "rows", "columns", "first"}:
        return None
    sizes = [said[name] for name in ("rows", "columns", "first")]
    if not all(type(size) is int and 0 <= size <= inputs for size in sizes):
        return None
    rows, columns, first = sizes
    source = said["source"]
    fits = rows * columns == inputs - first > 0
    return said if fits and isinstance(source, str) and _SOURCE.fullmatch(source) else None


def _strings(tokens: list[Any]) -> bool:
    return bool(tokens) and all(isinstance(t, str) for t in tokens)


def _matrix(rows: Any, height: int, width: int) -> bool:
    return (
        isinstance(rows, list)
        and len(rows) == height
        and all(isinstance(row, list) and len(row) == width for row in rows)
    )


def _shares(rows: Sequence[Sequence[Any]]) -> tuple[tuple[float, ...], ...]:
    """Weights between 0 and 1, whatever stands there."""
    try:
        known = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        known = np.array([[as_number(weight) or 0.0 for weight in row] for row in rows])
    return tuple(map(tuple, np.nan_to_num(known, posinf=0.0).clip(0.0, 1.0).tolist()))
