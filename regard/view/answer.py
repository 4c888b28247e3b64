"""An answer with its alignment, drawn in a terminal."""

from shutil import get_terminal_size

from torch import Tensor

from regard._printable import printable
from regard.view.answered import Answered
from regard.view.letters import folded, runs_right_to_left
from regard.view.running import along
from regard.view.terminal import alignment, held, underlined, visible

MOST_DRAWN = 60
"""Greatest number of lines with an input on each."""


def drawn_answer(answer: Answered, show: bool = True) -> str:
    """The answers line by line, best first, and below them where the network attended.

    No line of the alignment is wider than the terminal: what does not fit stands below.
    """
    lines = [_lines_of(answer.best)]
    if len(answer.answers) > 1:
        lines += [f"  {score:8.3f}  {held(_lines_of(text))}" for text, score in answer.answers]
    if answer.unknown:
        seen = ", ".join(held(visible(character)) for character in answer.unknown)
        lines.append(f"(the model has never seen {seen}, so this may be a guess)")
    if show and answer.weights is not None and answer.weights.numel():
        lines += ["", *_attention(answer, answer.weights, get_terminal_size().columns), ""]
    return "\n".join(lines)


def _attention(answer: Answered, weights: Tensor, width: int) -> list[str]:
    """The weights with their tokens; of very many inputs the strongest, and that is said."""
    inputs = answer.inputs
    if is_map(weights):
        full = max(float(weights.max()), 1e-12)
        drawn = alignment(weights / full, answer.outputs, inputs, width)
        return [drawn, *folded(f"(█ stands for {full:.3f}, and all of them sum to 1)", width)]
    if len(inputs) <= MOST_DRAWN:
        return [alignment(weights, answer.outputs, inputs, width)]
    if len(weights) == 1 and not runs_right_to_left(" ".join(inputs)):
        pieces, rest = along(inputs, answer.text)
        below = [f"(not read: {len(rest):,} more characters)"] if rest.strip() else []
        return [underlined(pieces, weights[0], width), *below]
    strongest = weights.amax(0)
    order = strongest.argsort(descending=True, stable=True)
    kept = sorted(order[:MOST_DRAWN].tolist())
    full, next_one = float(strongest.max()), float(strongest[order[MOST_DRAWN]])
    drawn = alignment(
        weights[:, kept] / max(full, 1e-12), answer.outputs, [inputs[n] for n in kept], width
    )
    said = (
        f"(█ stands for {full:.3f}; drawn are the {MOST_DRAWN} inputs with the largest weights, "
        f"none of the other {len(inputs) - MOST_DRAWN:,} weighs more than {next_one:.3f})"
    )
    return [drawn, *folded(said, width)]


def is_map(weights: Tensor) -> bool:
    """Whether all rows together weigh 1, as those of the parts of a picture do, and not each.

    >>> import torch
    >>> is_map(torch.full((2, 4), 0.125)), is_map(torch.full((2, 4), 0.25))
    (True, False)
    """
    return len(weights) > 1 and abs(float(weights.sum()) - 1) < 1e-2


def _lines_of(text: str) -> str:
    """An answer as it may be printed; a text of several lines keeps them."""
    return "\n".join(printable(line) for line in text.split("\n"))
