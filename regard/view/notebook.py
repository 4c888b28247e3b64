"""An answer with its alignment as HTML for a notebook, which brings no style of its own."""

from collections.abc import Sequence

from regard.view.answered import Answered
from regard.view.film import Film, bands, film_of, is_tall, notes
from regard.view.folding import fold
from regard.view.frame import Frame, frame_of
from regard.view.page import text
from regard.view.picture import mask
from regard.view.terminal import visible
from regard.view.ticks import short

SHADE = "rgba(31,99,180,{:.3f})"
UNDER_TEXT = 0.5
"""Opacity of the strongest shade behind letters, which stay readable on it."""


def answer_html(answer: Answered) -> str:
    """The answers, best first, and below them where the network attended: the darker, the more.

    A text with one weight to each token is shown as it was read; else the input stands above a
    table whose rows are the outputs, or down its side where it is sentences.
    """
    said = "".join(
        f'<li><span dir="auto">{text(each)}</span> ({score:.3f})</li>'
        for each, score in answer.answers
    )
    head = f"<ol>{said}</ol>" if len(answer.answers) > 1 else f"<p>{fold(answer.best)}</p>"
    unknown = ", ".join(visible(each) for each in answer.unknown)
    if unknown:
        head += f"<p>(the model has never seen {text(unknown)}, so this may be a guess)</p>"
    if answer.weights is None or not answer.weights.numel():
        return head
    sample = {
        "input": answer.text,
        "answer": answer.best,
        "inputs": list(answer.inputs),
        "outputs": list(answer.outputs),
        "weights": answer.weights.tolist(),
    }
    frame = frame_of({"step": 0}, sample)
    return head if frame is None else head + _drawn(film_of([frame]))


def _drawn(film: Film) -> str:
    (frame,) = film.frames
    draw = {"text": _text, "table": _tables, "down": _down, "picture": _picture}[film.layout]
    said = "".join(f"<p>{note}</p>" for note in notes(film))
    scale = f"<p><small>the strongest shade is {short(round(film.full, 3))}</small></p>"
    return f'<div style="overflow:auto;max-width:100%">{draw(frame, film.full)}</div>{scale}{said}'


def _text(frame: Frame, full: float) -> str:
    pieces, rest = frame.pieces
    shown = "".join(
        f'{text(before)}<span title="{weight:.3f}"{_shade(UNDER_TEXT * weight / full)}>'
        f"{text(piece)}</span>"
        for (before, piece), weight in zip(pieces, frame.weights[0], strict=True)
    )
    unread = f"<s>{text(rest)}</s> (not read)" if rest.strip() else ""
    return f'<p dir="auto" style="white-space:pre-wrap;line-height:1.9">{shown}{unread}</p>'


def _tables(frame: Frame, full: float) -> str:
    return "".join(
        _table(
            [frame.inputs[n] for n in band],
            frame.outputs,
            [[row[n] for n in band] for row in frame.weights],
            full,
        )
        for band in bands(len(frame.inputs))
    )


def _down(frame: Frame, full: float) -> str:
    return _table(frame.outputs, frame.inputs, list(zip(*frame.weights, strict=True)), full)


def _table(
    above: Sequence[str], beside: Sequence[str], weights: Sequence[Sequence[float]], full: float
) -> str:
    head = "".join(_name(token, above=True) for token in above)
    rows = "".join(
        f"<tr>{_name(token)}{''.join(_cell(weight, full) for weight in row)}</tr>"
        for token, row in zip(beside, weights, strict=True)
    )
    return f'<table style="margin-bottom:1em"><tr><td></td>{head}</tr>{rows}</table>'


def _name(token: str, above: bool = False) -> str:
    shown = visible(token)
    way = "writing-mode:vertical-rl" if above and is_tall(shown) else ""
    side = "vertical-align:bottom;padding:2px" if above else "text-align:right;padding:0 6px"
    span = f'<span dir="auto" style="{way}">{text(shown)}</span>'
    return f'<th style="{side};font-weight:normal">{span}</th>'


def _cell(weight: float, full: float) -> str:
    return f'<td title="{weight:.3f}"{_shade(weight / full)}>&nbsp;</td>'


def _shade(share: float) -> str:
    return f' style="background:{SHADE.format(share)}"' if share >= 0.005 else ""


def _picture(frame: Frame, full: float) -> str:
    shares = [[weight / full for weight in row] for row in frame.weights]
    picture = f"url({mask(shares)}) 0 0/100% 100%"
    size = f"width:min(100%,900px);aspect-ratio:{len(frame.inputs)}/{len(frame.outputs)}"
    return (
        f'<div style="{size};background:{SHADE.format(1)};-webkit-mask:{picture};mask:{picture}">'
        f"</div><p>{len(frame.inputs):,} inputs from left to right, {len(frame.outputs):,} outputs "
        "downwards</p>"
    )
