"""`regard predict`: ask a trained model, and see where it looked."""

import json as json_module
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from shutil import get_terminal_size

from rich.cells import cell_len

from regard.cli.assembly import load_predictor
from regard.cli.mistake import Mistake
from regard.tasks.task import Answer, Predictor
from regard.train.run_folder import BEST, settle
from regard.view.terminal import alignment, printable, visible

AT_ONCE = 64
MOST_DRAWN = 60
"""Greatest number of tokens to either side that are drawn in a terminal."""
MARGIN = 20
"""Cells of a line that the inputs take."""


def run(run: Path, texts: Sequence[str], beam: int, show: bool | None, json: bool) -> int:
    """Print the answer to each text, drawn or as one JSON object; `-` is standard input."""
    try:
        predictor = loaded(run)
        typed = not any(text == "-" or _is_file(text) for text in texts)
        drawn = typed if show is None else show
        for some in _portions(texts):
            for answer in predictor.predict(some, beams=beam):
                print(_as_json(answer) if json else _drawn(answer, drawn))
            sys.stdout.flush()
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise Mistake(printable(str(error))) from None
    return 0


def folder_of(run: Path) -> Path:
    """Where the best model of a run is: in `best/`, or in the folder itself."""
    if not run.is_dir():
        raise FileNotFoundError(
            f"there is no folder {run}; make one with: regard train or regard demo"
        )
    if (run / "config.json").exists():
        return run
    settle(run / BEST)
    if not (run / BEST).is_dir():
        raise FileNotFoundError(f"{run} has no trained model: there is no {BEST}/ in it yet")
    return run / BEST


def loaded(run: Path) -> Predictor:
    """The predictor of a run; raises `Mistake` when there is none or it is damaged."""
    try:
        return load_predictor(folder_of(run))
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise Mistake(printable(str(error))) from None


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts themselves, the lines of those that name a file, and of standard input for `-`."""
    portion: list[str] = []
    for text in _lines(texts):
        portion.append(text)
        if len(portion) == AT_ONCE or texts == ["-"]:
            yield portion
            portion = []
    if portion:
        yield portion


def _lines(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        if text == "-":
            yield from _decoded(sys.stdin.buffer, "standard input")
        elif _is_file(text):
            with open(text, "rb") as file:
                yield from _decoded(file, text)
        else:
            yield text


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _decoded(file: Iterable[bytes], name: str) -> Iterator[str]:
    """The lines that are not empty, split at newlines alone."""
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name} line {number}: byte {line[error.start]:#04x} at column {error.start + 1} "
                "is not UTF-8; convert the file first, as with iconv -f latin1 -t utf-8"
            ) from None
        if text.strip():
            yield text


def _as_json(answer: Answer) -> str:
    weights = None if answer.weights is None else answer.weights.tolist()
    return json_module.dumps(
        {
            "text": answer.text,
            "answer": answer.answers[0][0],
            "answers": [
                {"answer": text, "log_probability": score} for text, score in answer.answers
            ],
            "inputs": answer.inputs,
            "outputs": answer.outputs,
            "alignment": weights,
            "unknown": answer.unknown,
        },
        # Whatever the terminal's encoding is, and whatever was typed: JSON in ASCII survives it.
        ensure_ascii=True,
    )


def _drawn(answer: Answer, show: bool) -> str:
    lines = [_kept(answer.answers[0][0])]
    if len(answer.answers) > 1:
        lines += [f"  {score:8.3f}  {_kept(text)}" for text, score in answer.answers]
    if answer.unknown:
        seen = ", ".join(printable(character) for character in answer.unknown)
        lines.append(f"(the model has never seen {seen}, so this may be a guess)")
    if show and answer.weights is not None and answer.weights.numel():
        rows, columns = _fitting(answer.outputs), answer.inputs[:MOST_DRAWN]
        weights = answer.weights[: len(rows), : len(columns)]
        lines += ["", alignment(weights, rows, columns), ""]
        if len(rows) < len(answer.outputs) or len(columns) < len(answer.inputs):
            lines.append(f"(only the first {len(columns)} by {len(rows)} tokens are drawn)")
    return "\n".join(lines)


def _fitting(tokens: Sequence[str]) -> Sequence[str]:
    """As many tokens as a terminal of this width can show side by side."""
    room = get_terminal_size().columns - MARGIN
    widths = accumulate(max(2, cell_len(visible(token)) + 1) for token in tokens)
    fit = sum(width <= room for width in widths)
    return tokens[: max(1, min(fit, MOST_DRAWN))]


def _kept(text: str) -> str:
    """An answer as it may be printed; a text of several lines keeps them."""
    return "\n".join(printable(line) for line in text.split("\n"))
