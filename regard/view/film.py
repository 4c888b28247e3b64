"""The attention of fixed examples over a run: a table of weights for each, and the looks before it.

The last look stands in the page as a table. The earlier ones are data, which the page's script
shows when the slider is moved.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeGuard

from regard.view.page import obeyed_by_none, text
from regard.view.run_log import as_number
from regard.view.terminal import visible
from regard.view.ticks import short

MOST_TOKENS = 64
MOST_LOOKS = 24
MOST_FILMS = 6
MOST_UPRIGHT = 20
"""Greatest length of an input that is written upright above its column."""

Weights = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Frame:
    """One look at one example; weights are between 0 and 1, `[outputs, inputs]`."""

    step: int
    epoch: float
    answer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    cut: bool


def films(samples: Sequence[Mapping[str, Any]]) -> list[list[Frame]]:
    """The frames of each example that has weights, thinned evenly, the first and last look kept."""
    looks = _evenly(samples, MOST_LOOKS)
    found: dict[int, list[Frame]] = {}
    for look in looks:
        for number, sample in enumerate(look["samples"]):
            if len(found) == MOST_FILMS and number not in found:
                continue
            frame = _frame(look, sample)
            if frame is not None:
                found.setdefault(number, []).append(frame)
    return [found[number] for number in sorted(found)]


def data(film: Sequence[Frame]) -> list[dict[str, Any]]:
    """A film for the script; a weight w is the byte 255 sqrt(w), which is exact to 0.004."""
    return [
        {
            "step": frame.step,
            "epoch": frame.epoch,
            "answer": obeyed_by_none(frame.answer),
            "inputs": [visible(token) for token in frame.inputs],
            "outputs": [visible(token) for token in frame.outputs],
            "weights": _packed(frame.weights),
        }
        for frame in film
    ]


def figure(number: int, film: Sequence[Frame]) -> str:
    """The last look of a film, with the slider that leads to the others."""
    last = film[-1]
    strongest = max((w for frame in film for row in frame.weights for w in row), default=0.0)
    full = strongest or 1.0
    down = _long(film)
    notes = []
    if any(frame.cut for frame in film):
        notes.append(f"Only the first {MOST_TOKENS} tokens are drawn.")
    return (
        f'<figure class="film" data-film="{number}" data-full="{full:.4f}"{down * " data-down"}>'
        f'<figcaption><span class="when">{_when(last)}</span> '
        f'<span class="answer" dir="auto">{text(last.answer)}</span></figcaption>'
        f"{_controls(number, len(film))}"
        f'<div class="scroll heat" tabindex="0" role="group" '
        f'aria-label="Attention weights; arrow keys read them one by one">'
        f"{_table(last, full, down)}</div>"
        f'<p class="reading" aria-live="polite">{_scale(full)}</p>'
        f"{''.join(f'<p class=note>{note}</p>' for note in notes)}</figure>"
    )


def _controls(number: int, looks: int) -> str:
    if looks < 2:
        return ""
    return (
        f'<div class="controls" hidden><button type="button">Play</button>'
        f'<label for="look{number}">look</label><input id="look{number}" type="range" min="0" '
        f'max="{looks - 1}" value="{looks - 1}" step="1"></div>'
    )


def _long(film: Sequence[Frame]) -> bool:
    """Whether inputs are sentences, which can only be read side by side with their rows."""
    return any(len(token) > MOST_UPRIGHT for frame in film for token in frame.inputs)


def _table(frame: Frame, full: float, down: bool) -> str:
    above, beside, weights = frame.inputs, frame.outputs, frame.weights
    if down:
        above, beside, weights = beside, above, tuple(zip(*weights, strict=True))
    head = "".join(f'<th scope="col"><span dir="auto">{_token(t)}</span></th>' for t in above)
    rows = []
    for token, row in zip(beside, weights, strict=True):
        cells = "".join(_cell(weight / full) for weight in row)
        rows.append(f'<tr><th scope="row"><span dir="auto">{_token(token)}</span></th>{cells}</tr>')
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(share: float) -> str:
    return f'<td style="--w:{share:.2f}"></td>' if share >= 0.01 else "<td></td>"


def _scale(full: float) -> str:
    return f'weight 0 <span class="ramp" aria-hidden="true"></span> {short(round(full, 3))}'


def _when(frame: Frame) -> str:
    return f"step {frame.step:,} · epoch {frame.epoch:.2f}"


def _token(token: str) -> str:
    return text(visible(token))


def _frame(look: Mapping[str, Any], sample: Any) -> Frame | None:
    if not isinstance(sample, dict):
        return None
    inputs, outputs = sample.get("inputs"), sample.get("outputs")
    rows: Any = sample.get("weights")
    if not (_strings(inputs) and _strings(outputs) and _matrix(rows, len(outputs), len(inputs))):
        return None
    return Frame(
        step=int(look["step"]),
        epoch=as_number(look.get("epoch")) or 0.0,
        answer=str(sample.get("answer") or ""),
        inputs=tuple(inputs[:MOST_TOKENS]),
        outputs=tuple(outputs[:MOST_TOKENS]),
        weights=tuple(_row(row[:MOST_TOKENS]) for row in rows[:MOST_TOKENS]),
        cut=max(len(inputs), len(outputs)) > MOST_TOKENS,
    )


def _strings(tokens: Any) -> TypeGuard[list[str]]:
    return isinstance(tokens, list) and bool(tokens) and all(isinstance(t, str) for t in tokens)


def _matrix(rows: Any, height: int, width: int) -> bool:
    return (
        isinstance(rows, list)
        and len(rows) == height
        and all(isinstance(row, list) and len(row) == width for row in rows)
    )


def _row(row: Sequence[object]) -> tuple[float, ...]:
    """Weights between 0 and 1, whatever stands there."""
    return tuple(min(1.0, max(0.0, as_number(w) or 0.0)) for w in row)


def _packed(weights: Weights) -> str:
    return base64.b64encode(bytes(round(255 * sqrt(w)) for row in weights for w in row)).decode()


def _evenly(looks: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    if len(looks) <= most:
        return list(looks)
    return [looks[round(i * (len(looks) - 1) / (most - 1))] for i in range(most)]
