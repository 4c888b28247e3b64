"""Values as they are kept, spelled for files of text and for JSON."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, time
from typing import Any

_ESCAPED = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def as_cell(value: Any) -> str:
    """A value as a cell of text: lists and objects as JSON, nothing for what is not there.

    >>> as_cell("a, b"), as_cell(None), as_cell(True), as_cell(0.5), as_cell(["a", 1])
    ('a, b', '', 'true', '0.5', '["a", 1]')
    """
    value = as_json(value)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def as_json(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO 8601 has them, bytes in Base64, NaN as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def on_one_line(text: str) -> str:
    r"""A text without tabs and ends of lines, which are spelled `\t`, `\n` and `\r`.

    >>> print(on_one_line("one\ttwo\nthree"))
    one\ttwo\nthree
    """
    return text.translate(_ESCAPED)
