"""`regard predict`: ask a trained model, and see where it attended."""

import json as json_module
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from regard._io.faults import sentence
from regard.errors import UsageError
from regard.run.run import Run
from regard.tasks.predictor import Answer
from regard.view.answer import drawn_answer

AT_ONCE = 64


def run(run: Path, texts: Sequence[str], answers: int, show: bool | None, json: bool) -> int:
    """Print the answer to each text, drawn or as one JSON object; `-` is standard input."""
    try:
        found = Run(run)
        typed = not any(text == "-" or _is_file(text) for text in texts)
        drawn = typed if show is None else show
        for some in _portions(texts):
            for text, answer in zip(some, found.predict(some, answers), strict=True):
                print(_as_json(text, answer) if json else drawn_answer(answer, drawn))
            sys.stdout.flush()
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(sentence(error)) from None
    return 0


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


def _as_json(text: str, answer: Answer) -> str:
    """One object: the text as it was typed, and what was found."""
    weights = None if answer.weights is None else answer.weights.tolist()
    return json_module.dumps(
        {
            "text": text,
            "answer": answer.best,
            "answers": [
                {"answer": each, "log_probability": score} for each, score in answer.answers
            ],
            "inputs": answer.inputs,
            "outputs": answer.outputs,
            "alignment": weights,
            "unknown": answer.unknown,
        },
        # Whatever the terminal's encoding is, and whatever was typed: JSON in ASCII survives it.
        ensure_ascii=True,
    )
