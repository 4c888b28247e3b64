"""An answer with its alignment, drawn in a terminal and as HTML for a notebook."""

from collections.abc import Sequence
from html import escape
from itertools import accumulate
from shutil import get_terminal_size
from typing import Protocol, runtime_checkable

from rich.cells import cell_len
from torch import Tensor

from regard.view.terminal import alignment, printable, visible

MOST_DRAWN = 60
"""Greatest number of tokens to either side that are drawn."""
MARGIN = 20
"""Cells of a line that the inputs take."""


@runtime_checkable
class Answered(Protocol):
    """What is drawn: answers with log-probabilities, and weights with names to rows and columns."""

    @property
    def answers(self) -> tuple[tuple[str, float], ...]: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def weights(self) -> Tensor | None: ...

    @property
    def unknown(self) -> tuple[str, ...]: ...


def drawn_answer(answer: Answered, show: bool = True) -> str:
    """The answers line by line, best first, and below them where the network attended."""
    lines = [_lines_of(answer.answers[0][0])]
    if len(answer.answers) > 1:
        lines += [f"  {score:8.3f}  {_lines_of(text)}" for text, score in answer.answers]
    if answer.unknown:
        seen = ", ".join(visible(character) for character in answer.unknown)
        lines.append(f"(the model has never seen {seen}, so this may be a guess)")
    if show and answer.weights is not None and answer.weights.numel():
        rows, columns = _fitting(answer.outputs), answer.inputs[:MOST_DRAWN]
        weights = answer.weights[: len(rows), : len(columns)]
        lines += ["", alignment(weights, rows, columns), ""]
        if len(rows) < len(answer.outputs) or len(columns) < len(answer.inputs):
            lines.append(f"(only the first {len(columns)} by {len(rows)} tokens are drawn)")
    return "\n".join(lines)


def answer_html(answer: Answered) -> str:
    """The same as a table, inputs downwards, the darker the larger the weight."""
    said = "".join(f"<li>{escape(text)} ({score:.3f})</li>" for text, score in answer.answers)
    best = escape(answer.answers[0][0])
    head = f"<ol>{said}</ol>" if len(answer.answers) > 1 else f"<p>{best}</p>"
    if answer.weights is None or not answer.weights.numel():
        return head
    rows, columns = answer.outputs[:MOST_DRAWN], answer.inputs[:MOST_DRAWN]
    weights = answer.weights[: len(rows), : len(columns)].mT.tolist()
    top = "".join(f"<th>{escape(visible(token))}</th>" for token in rows)
    body = "".join(
        f"<tr><th>{escape(visible(token))}</th>{''.join(map(_cell, row))}</tr>"
        for token, row in zip(columns, weights, strict=True)
    )
    return f"{head}<table><tr><th></th>{top}</tr>{body}</table>"


def _cell(weight: float) -> str:
    shade = min(1.0, max(0.0, weight))
    return f'<td title="{weight:.3f}" style="background:rgba(31,99,180,{shade:.3f})">&nbsp;</td>'


def _fitting(tokens: Sequence[str]) -> Sequence[str]:
    """As many tokens as a terminal of this width can show side by side."""
    space = get_terminal_size().columns - MARGIN
    widths = accumulate(max(2, cell_len(visible(token)) + 1) for token in tokens)
    fit = sum(width <= space for width in widths)
    return tokens[: max(1, min(fit, MOST_DRAWN))]


def _lines_of(text: str) -> str:
    """An answer as it may be printed; a text of several lines keeps them."""
    return "\n".join(printable(line) for line in text.split("\n"))
