"""Writing settings as TOML, which Python itself only reads."""

import json
import re
from collections.abc import Mapping
from typing import Any


def as_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    r"""Nested tables of numbers, strings, booleans and lists; None is left out.

    >>> print(as_toml({"data": {"path": 'a "b"\n', "size": 3, "tied": True, "gone": None}}), end="")
    [data]
    path = "a \"b\"\n"
    size = 3
    tied = true
    >>> print(as_toml({"model": {"pooling": {"kind": "hard", "layers": [1, 2]}}}), end="")
    [model]
    pooling = {kind = "hard", layers = [1, 2]}
    >>> print(as_toml({"task": {"class_weights": {"ham": 1.0, "not ham": 9.0}}}), end="")
    [task]
    class_weights = {ham = 1.0, "not ham" = 9.0}
    """
    lines: list[str] = []
    for name, entries in tables.items():
        lines += ["", f"[{name}]"] if lines else [f"[{name}]"]
        lines += [f"{key} = {_value(v)}" for key, v in entries.items() if v is not None]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = (f"{_key(key)} = {_value(held)}" for key, held in value.items() if held is not None)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the one character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
