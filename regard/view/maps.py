"""Attention as HTML: a table with the input above it, a shaded text, or a picture of very many."""

from collections.abc import Sequence

from rich.cells import cell_len

from regard.view.film import Film, bands
from regard.view.folding import fold
from regard.view.frame import MOST_READ, MOST_TOKENS, Frame
from regard.view.letters import letters
from regard.view.page import text
from regard.view.picture import mask
from regard.view.running import Piece
from regard.view.terminal import visible
from regard.view.ticks import short

READ_AT_ONCE = 150
"""Tokens of a text that are shown before it is unfolded."""
FLAT = 110
"""Cells that the names of columns may take side by side; beyond, they are written downwards."""
TALL = 2
"""Letters of a name that fit over a column."""
FEW = 4
"""Columns of so few have their names side by side, however long."""


def figure(number: int, film: Film) -> str:
    """The last look of a film, with the slider that leads to the others."""
    last = film.frames[-1]
    draw = {"text": _text, "table": _table, "down": _down, "picture": _picture}[film.layout]
    asked = "" if film.layout == "text" or not last.text else _asked(last)
    return (
        f'<figure class="film {film.layout}" data-film="{number}">'
        f"<figcaption>{asked}{_answer(last)}</figcaption>"
        f"{_controls(number, len(film.frames))}"
        f'<div class="scroll heat{_flat(film)}" tabindex="0" role="group" '
        f'aria-label="Attention weights; arrow keys read them one by one">'
        f"{draw(last, film.full)}</div>"
        f'<p class="reading" aria-live="polite">{_scale(film.full)}</p>'
        f"{''.join(f'<p class=note>{note}</p>' for note in notes(film))}</figure>"
    )


def _asked(frame: Frame) -> str:
    return f'<div class="asked">{fold(frame.text)}</div>'


def _answer(frame: Frame) -> str:
    wanted = ""
    if frame.wanted is not None and frame.wanted != frame.answer:
        wanted = f' <span class="wanted">wanted {fold(frame.wanted)}</span>'
    return f'<span class="when">{_when(frame)}</span> {fold(frame.answer, "answer")}{wanted}'


def _controls(number: int, looks: int) -> str:
    if looks < 2:
        return ""
    return (
        f'<div class="controls" hidden><button type="button">Play</button>'
        f'<label for="look{number}">look</label><input id="look{number}" type="range" min="0" '
        f'max="{looks - 1}" value="{looks - 1}" step="1"></div>'
    )


def _flat(film: Film) -> str:
    """Whether the names of columns fit side by side."""
    down = film.layout == "down"
    rows = [frame.outputs if down else frame.inputs for frame in film.frames]
    if down and max(map(len, rows)) <= FEW:
        return " flat"
    parts = [[row[n] for n in band] for row in rows for band in bands(len(row))]
    widest = max(sum(max(2, cell_len(visible(t)) + 2) for t in part) for part in parts)
    return " flat" if widest <= FLAT else ""


def _table(frame: Frame, full: float) -> str:
    """Inputs above, outputs down the side, in as many tables as the width asks for."""
    return "".join(
        _one_table(
            [frame.inputs[n] for n in band],
            frame.outputs,
            [[row[n] / full for n in band] for row in frame.weights],
        )
        for band in bands(len(frame.inputs))
    )


def _down(frame: Frame, full: float) -> str:
    """Inputs that are sentences down the side, so that they can be read whole."""
    shares = [[weight / full for weight in row] for row in zip(*frame.weights, strict=True)]
    return _one_table(frame.outputs, frame.inputs, shares)


def _one_table(
    above: Sequence[str], beside: Sequence[str], shares: Sequence[Sequence[float]]
) -> str:
    head = "".join(_name(token, "col") for token in above)
    rows = (
        f"<tr>{_name(token, 'row')}{''.join(map(_cell, row))}</tr>"
        for token, row in zip(beside, shares, strict=True)
    )
    return (
        f'<table style="--n:{len(above)}"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _name(token: str, scope: str) -> str:
    shown = visible(token)
    tall = ' class="tall"' if scope == "col" and is_tall(shown) else ""
    return f'<th scope="{scope}"{tall}><span dir="auto">{text(shown)}</span></th>'


def _cell(share: float) -> str:
    return f'<td style="--w:{share:.2f}"></td>' if share >= 0.01 else "<td></td>"


def _text(frame: Frame, full: float) -> str:
    """The text itself, each token as strongly shaded as it weighs; a long one is folded."""
    pieces, rest = frame.pieces
    weights = frame.weights[0]
    cut = _first_part(pieces)
    read = f'<span class="unread">{text(rest)}</span>' if rest.strip() else ""
    if cut == len(pieces):
        return f'<p class="run" dir="auto">{_shaded(pieces, weights, full)}{read}</p>'
    more = len(pieces) - cut
    share = sum(weights[cut:])
    return (
        f'<p class="run" dir="auto">{_shaded(pieces[:cut], weights[:cut], full)}</p>'
        f"<details><summary>show all: {more:,} more tokens, which weigh {share:.3f} together"
        f'</summary><p class="run" dir="auto">'
        f"{_shaded(pieces[cut:], weights[cut:], full)}{read}</p></details>"
    )


def _first_part(pieces: Sequence[Piece]) -> int:
    """How many tokens are shown at once: all, or so many that no word is cut if it can be."""
    if len(pieces) <= READ_AT_ONCE * 1.2:
        return len(pieces)
    ends = (n for n in range(READ_AT_ONCE, READ_AT_ONCE // 2, -1) if pieces[n][0])
    return next(ends, READ_AT_ONCE)


def _shaded(pieces: Sequence[Piece], weights: Sequence[float], full: float) -> str:
    # A token has no direction of its own, so that the letters of a word join across tokens.
    return "".join(
        f'{text(before)}<span class="w"{_share(weight / full)}>{text(piece)}</span>'
        for (before, piece), weight in zip(pieces, weights, strict=True)
    )


def _share(share: float) -> str:
    return f' style="--w:{share:.2f}"' if share >= 0.01 else ""


def _picture(frame: Frame, full: float) -> str:
    """One spot for each weight, inputs from left to right, and in words what is strongest."""
    shares = [[weight / full for weight in row] for row in frame.weights]
    high, wide = len(frame.outputs), len(frame.inputs)
    rows = []
    for output, weights in zip(frame.outputs, frame.weights, strict=True):
        at = max(range(wide), key=weights.__getitem__)
        names = (f"<bdi>{text(visible(name))}</bdi>" for name in (output, frame.inputs[at]))
        rows.append(f"<li>{' ← '.join(names)} {weights[at]:.3f}</li>")
    return (
        f'<div class="spots" style="--mask:url({mask(shares)});--n:{wide};--m:{high}"></div>'
        f'<p class="note">{wide:,} inputs from left to right, {high:,} outputs downwards</p>'
        f"<details><summary>the strongest input of each output</summary>"
        f'<ol class="strongest">{"".join(rows)}</ol></details>'
    )


def _scale(full: float) -> str:
    return f'weight 0 <span class="ramp" aria-hidden="true"></span> {short(round(full, 3))}'


def _when(frame: Frame) -> str:
    return f"step {frame.step:,} · epoch {frame.epoch:.2f}"


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
