"""Numbers as people write them, with a decimal comma too."""

import re

_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+")


def as_number(text: str) -> float | None:
    """The number that a text is, None for any other text.

    >>> as_number("4.5"), as_number(" 1.234,5"), as_number("nan"), as_number("4 stars")
    (4.5, 1234.5, None, None)
    """
    text = text.strip()
    if _COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    # float() takes underscores, infinities and other scripts' digits too.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        return None
    return float(text)
