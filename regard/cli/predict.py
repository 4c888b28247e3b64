"""`regard predict`: read texts with a trained model and draw where it looked."""

import json
from collections.abc import Sequence
from pathlib import Path

from regard.cli.mistake import Mistake
from regard.tasks.date_reader import Answer, DateReader
from regard.view.terminal import alignment, printable


def run(run: Path, texts: Sequence[str], beam: int, json: bool) -> int:
    """Print the answer to each text and its alignment, or one JSON object for each."""
    try:
        answers = DateReader.load(run).read(texts, beams=beam)
    except (ValueError, FileNotFoundError) as error:
        raise Mistake(printable(str(error))) from None
    for answer in answers:
        print(_as_json(answer) if json else _drawn(answer))
    return 0


def _as_json(answer: Answer) -> str:
    return json.dumps(
        {
            "text": answer.text,
            "answer": answer.answers[0][0],
            "answers": [
                {"answer": text, "log_probability": score} for text, score in answer.answers
            ],
            "inputs": answer.inputs,
            "outputs": answer.outputs,
            "alignment": answer.weights.tolist(),
            "unknown": answer.unknown,
        },
        # Whatever the terminal's encoding is, and whatever was typed: JSON in ASCII survives it.
        ensure_ascii=True,
    )


def _drawn(answer: Answer) -> str:
    lines = [answer.answers[0][0]]
    if len(answer.answers) > 1:
        lines += [f"  {score:8.3f}  {text}" for text, score in answer.answers]
    if answer.unknown:
        seen = " ".join(printable(character) for character in answer.unknown)
        lines.append(f"(the model has never seen {seen}, so this may be a guess)")
    return "\n".join([*lines, "", alignment(answer.weights, answer.outputs, answer.inputs), ""])
