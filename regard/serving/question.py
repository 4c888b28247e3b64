"""What a page may ask of the server: read from JSON, and nothing of it believed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regard.errors import UsageError

TEXT, PICTURE, LAYERS, WITHOUT, EFFECTS = "text", "picture", "layers", "without", "effects"
MOST_LAYERS = 1000


@dataclass(frozen=True)
class Without:
    """A head to be taken out: the module that attends, which head, and of how many."""

    layer: str
    head: int
    of: int


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        given: a text, or the bytes of a picture.
        layers: which attentions, as `regard.capture` takes them; all if None.
        without: a head that is taken out while the network answers.
        effects: say of every head what the output is without it.
    """

    given: str | bytes
    layers: tuple[int | str, ...] | None = None
    without: Without | None = None
    effects: bool = False


def question_of(body: Any, of_pictures: bool) -> Question:
    """The question in a JSON value; raises `UsageError` for what is none."""
    if not isinstance(body, dict):
        raise UsageError("a question is a JSON object with a text or a picture")
    asked = PICTURE if of_pictures else TEXT
    known = {asked, LAYERS, WITHOUT, EFFECTS}
    if unknown := sorted(map(str, set(body) - known)):
        raise UsageError(
            f"a question to this network has {', '.join(sorted(known))}, and no {unknown[0][:40]!r}"
        )
    if body.get(WITHOUT) is not None and body.get(EFFECTS):
        raise UsageError(
            "ask for the effects of all heads with all heads in: leave one of both out"
        )
    return Question(
        _picture(body.get(PICTURE)) if of_pictures else _text(body.get(TEXT)),
        _layers(body.get(LAYERS)),
        _without(body.get(WITHOUT)),
        body.get(EFFECTS) is True,
    )


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found.strip():
        raise UsageError("there is no text to be answered: type one")
    return found


def _picture(found: Any) -> bytes:
    try:
        content = base64.b64decode(found, validate=True) if isinstance(found, str) else b""
    except (binascii.Error, ValueError):
        raise UsageError("the picture is not written in base64") from None
    if not content:
        raise UsageError("there is no picture to be answered: choose one or drop it here")
    return content


def _layers(found: Any) -> tuple[int | str, ...] | None:
    if found is None:
        return None
    fits = isinstance(found, list) and 0 < len(found) <= MOST_LAYERS
    if not fits or any(isinstance(each, bool) or not isinstance(each, int | str) for each in found):
        raise UsageError("layers are a list of numbers and names, such as [0, -1]")
    return tuple(found)


def _without(found: Any) -> Without | None:
    if found is None:
        return None
    if isinstance(found, Mapping) and set(found) == {"layer", "head", "of"}:
        layer, head, of = found["layer"], found["head"], found["of"]
        if isinstance(layer, str) and type(head) is int and type(of) is int and 0 <= head < of:
            return Without(layer, head, of)
    raise UsageError(
        'a head to be taken out is {"layer": a name, "head": from 0, "of": how many there are}'
    )
