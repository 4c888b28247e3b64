r"""Text from anywhere, made fit for a message: short, one line, nothing a terminal would obey."""

import re
import unicodedata
from typing import Any

MOST_SHOWN = 60
"""Characters of a value that a message quotes."""
LONGEST_MESSAGE = 2000
"""Characters of a message."""

MOST_LINES = 40
"""Of a message that offers a choice."""
_CHOICE = re.compile(r"\n(?=  --|    \d\. |  columns )")

_OBEYED = ("Cc", "Cs", "Zl", "Zp")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    r"""A text without what a terminal would obey: control characters, escapes, forced directions.

    >>> printable("3\x1b[31m mars\n2026")
    '3[31m mars2026'
    """
    return "".join(c for c in text if not _is_obeyed(c))


def message(text: str) -> str:
    r"""A message as it may be printed: one line, its middle left out where it is long.

    Of what a terminal would obey the code is shown. Options to choose from and their numbered
    examples stay on lines of their own.

    >>> message("no file 'a\x1b[2Jb'\n  in \u202e.")
    "no file 'a\\x1b[2Jb'   in \\u202e."
    >>> print(message("say which:\n  --task tag\n    1. so"))
    say which:
      --task tag
        1. so
    """
    lines = _CHOICE.split(_cut(text, LONGEST_MESSAGE))
    return "\n".join(shortened(line, LONGEST_MESSAGE) for line in lines[:MOST_LINES])


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """A name as a message says it: as `message`, and of at most so many characters.

    >>> shortened("learning_rate", 7)
    'lea…ate'
    """
    # Cut before it is looked at, and again, for every character may become six.
    line = " ".join(line.rstrip() for line in _cut(text, most).splitlines())
    return _cut("".join(_code(c) if _is_obeyed(c) else c for c in line), most)


def shown(value: Any, most: int = MOST_SHOWN) -> str:
    """A value as a message quotes it: Python's spelling, its middle left out where it is long.

    >>> shown("a" * 100, most=9), shown([0.5]), shown([0] * 100)
    ("'aaa…aaa'", '[0.5]', 'list of 100 values')
    """
    if isinstance(value, str) and len(value) > 2 * most:
        # Only the ends are seen, however long it is.
        value = value[:most] + value[-most:]
    if type(value) is int and value.bit_length() > 133:
        return f"a number of {int(value.bit_length() * 0.30103) + 1:,} digits"
    if isinstance(value, (list, tuple)) and len(value) > most:
        return f"{type(value).__name__} of {len(value):,} values"
    try:
        return _cut(repr(value), most)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} that is too large to show"


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head = most // 2
    return text[:head] + "…" + text[len(text) - (most - head - 1) :]


def _is_obeyed(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _OBEYED


def _code(character: str) -> str:
    return ascii(character)[1:-1]
