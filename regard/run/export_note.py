"""The files next to an exported program, so that it can be used without regard."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from regard._io.files import write_whole
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import Vocabulary
from regard.run.plain import PlainInput
from regard.tasks.predictor import Predictor

SPECIAL = {"pad": "pad", "unknown": "unknown_id", "begin": "begin", "end": "end"}


def write_note(path: Path, form: str, predictor: Predictor, inputs: Sequence[PlainInput]) -> None:
    """Write `FILE.json`, and `NAME-files` with the task's tokens and labels."""
    folder = path.with_name(f"{path.stem}-files")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = predictor.coder.save(folder)
    note = {
        "format": form,
        "task": predictor.task,
        "network": type(predictor.model).__name__,
        "inputs": [entry for each in inputs for entry in _entries(each)],
        "output": _output(predictor, inputs),
        "special_tokens": special_tokens(predictor.coder),
        "task_settings": predictor.coder.entries(),
        "files": [f"{folder.name}/{name}" for name in files],
    }
    text = json.dumps(note, indent=2, ensure_ascii=False, default=str) + "\n"
    write_whole(path.with_name(f"{path.name}.json"), text.encode())


def _entries(each: PlainInput) -> list[dict[str, Any]]:
    if each.image:
        about = (
            "red, green and blue from 0 to 1, of each the mean of colors.json taken off, and "
            "divided by its deviation"
        )
        shape = ["batch", *each.image]
        return [{"name": each.name, "dtype": "float32", "shape": shape, "meaning": about}]
    ids = {
        "name": each.names[0],
        "dtype": "int64",
        "shape": ["batch", f"{each.name} length"],
        "numbers_below": each.vocab,
        "longest": each.longest,
    }
    if each.ragged:
        about = (
            "how many numbers of each row count, 1 at least; what stands behind is not looked at"
        )
        lengths = {"name": each.names[1], "dtype": "int64", "shape": ["batch"], "meaning": about}
        return [ids, lengths]
    return [ids]


def _output(predictor: Predictor, inputs: Sequence[PlainInput]) -> dict[str, Any]:
    """What the numbers mean that come out."""
    names = [each.name for each in inputs]
    if "target" in names:
        about = (
            "logits of the token that follows each of target: begin target with the number "
            "special_tokens.*.begin, append the best token of the last column and call again, "
            "until it is end"
        )
        return {"name": "output", "shape": ["batch", "target length", "vocab"], "meaning": about}
    if names == ["tokens"]:
        about = "logits of the token that follows each"
        return {"name": "output", "shape": ["batch", "tokens length", "vocab"], "meaning": about}
    if "candidate" in names:
        about = "the score of each candidate"
        return {"name": "output", "shape": ["batch", "candidate length"], "meaning": about}
    if inputs[0].image and predictor.task == "segment":
        about = "logits of the class of each pixel, in the order of the labels"
        shape = ["batch", "classes", *inputs[0].image[1:]]
        return {"name": "output", "shape": shape, "meaning": about}
    about = "one row of numbers for each example: logits in the order of the labels, or the numbers"
    return {"name": "output", "shape": ["batch", "outputs"], "meaning": about}


def special_tokens(coder: Any) -> dict[str, dict[str, int]]:
    """The ids of the special tokens of every tokenizer of a coder, by its name there.

    >>> from regard.tasks.answer.coder import StoriesAndAnswers
    >>> special_tokens(StoriesAndAnswers(Vocabulary.build("ab")))
    {'vocabulary': {'pad': 0, 'unknown': 1, 'begin': 2, 'end': 3}}
    """
    found: dict[str, dict[str, int]] = {}
    for field in fields(coder) if is_dataclass(coder) else ():
        tokens = getattr(coder, field.name)
        if isinstance(tokens, (Tokenizer, Vocabulary)):
            found[field.name] = {
                name: number
                for name, attribute in SPECIAL.items()
                if (number := _number(tokens, attribute)) is not None
            }
            if (before := getattr(coder, "before", None)) is not None:
                found[field.name]["begin"] = before
    return found


def _number(tokens: Tokenizer | Vocabulary, attribute: str) -> int | None:
    try:
        return int(getattr(tokens, attribute))
    except ValueError:  # a tokenizer of the user's own may have no such token
        return None
