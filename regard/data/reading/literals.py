"""Lists and objects that a cell spells, as JSON, Python or NumPy do."""

import ast
import json
import re
from typing import Any

LONGEST = 10_000
"""Characters of a list in a cell, and of an object that is not JSON."""
_ARRAY = re.compile(r"\barray\((\[.*?\])(?:, dtype=\w+)?\)", re.DOTALL)
_NUMBERS = re.compile(r"\[[\s\d.eE+-]*\]")


def listed(text: str) -> list[Any] | None:
    """The list of values, of objects their names, that a text spells, None for another text.

    >>> listed("['a', 'b']"), listed("[1, 2"), listed("no list")
    (['a', 'b'], None, None)
    >>> listed("{'a', 'b'}"), listed("['a' 'b']"), listed('[{"id": 18, "name": "a"}]')
    (['a', 'b'], ['a', 'b'], ['a'])
    >>> listed("[1 0 5]"), listed('{"choices": ["a", "b"]}')
    ([1, 0, 5], ['a', 'b'])
    """
    text = text.strip()
    if text.startswith("{"):
        found = object_in(text)
        if found is not None:
            (one,) = found.values() if len(found) == 1 else (None,)
            return one if isinstance(one, list) else None
        text = f"[{text[1:-1]}]"  # A set, in the order in which it was written.
    values = list_in(text)
    return None if values is None else [_named(each) for each in values]


def list_in(text: str) -> list[Any] | None:
    """The list that a text spells, with its objects as they are; None for another text.

    >>> list_in('[{"start": 0, "end": 4}]'), list_in("[(0, 4, 'PER')]")
    ([{'start': 0, 'end': 4}], [(0, 4, 'PER')])
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]") and len(text) < LONGEST):
        return None
    # NumPy writes no commas.
    if _NUMBERS.fullmatch(text):
        text = f"[{', '.join(text[1:-1].split())}]"
    found = _literal(re.sub(r"(?<=['\"])\s+(?=['\"])", ", ", text))
    return found if isinstance(found, list) else None


def object_in(text: str) -> dict[str, Any] | None:
    """The object that a text spells, None for another text.

    >>> object_in("{'text': array(['Oslo'], dtype=object), 'start': array([17])}")
    {'text': ['Oslo'], 'start': [17]}
    >>> object_in("{1: 'a'}"), object_in("{'a', 'b'}"), object_in("{so it goes}")
    (None, None, None)
    """
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    found = _literal(_ARRAY.sub(r"\1", text) if "array(" in text else text)
    return found if isinstance(found, dict) and all(isinstance(k, str) for k in found) else None


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        if read is ast.literal_eval and len(text) > LONGEST:
            break
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _named(value: Any) -> Any:
    """The name of an object that has one text, as in `{"id": 18, "name": "Drama"}`."""
    texts = [v for v in value.values() if isinstance(v, str)] if isinstance(value, dict) else []
    return texts[0] if len(texts) == 1 else value
