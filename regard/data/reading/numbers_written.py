"""Numbers as people write them, with a decimal comma too."""

import re

_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+")


def number_in(text: str) -> float | None:
    """The number that a text is, None for any other text.

    >>> number_in("4.5"), number_in(" 1.234,5"), number_in("nan"), number_in("4 stars")
    (4.5, 1234.5, None, None)
    """
    text = text.strip()
    if _COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    # float() takes underscores, infinities and other scripts' digits too.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        return None
    return float(text)
