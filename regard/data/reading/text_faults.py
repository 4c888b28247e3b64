"""What texts hold that other programs left in them: told, and learned as it stands."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

SHARE, FEWEST = 0.05, 2
"""Share and number of texts from which on it is told."""
_FAULTS = (
    (re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#\d{2,5}|#x[0-9a-fA-F]+);"), "HTML's entities"),
    (re.compile(r"</?(p|br|div|span|a|b|i|em|li|ul|td|tr|img|h\d)\b[^<>]*>"), "HTML's tags"),
    (
        re.compile(r"â€|Ã[\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|Â[\u00a0-\u00bf]"),
        "letters of UTF-8 that were once read in another encoding",
    ),
    (re.compile(r"\ufffd"), "characters that were lost (U+FFFD)"),
    (re.compile(r"\Ab(['\"]).*\1\Z", re.DOTALL), "Python's spelling of bytes"),
    (
        re.compile(
            r"\A(n/?a|nan|null|none|#n/a|\[(deleted|removed|unavailable)\])\Z", re.IGNORECASE
        ),
        "nothing but that there is none",
    ),
    (re.compile(r"\\[ntr]|\\u[0-9a-fA-F]{4}"), "escapes written out"),
)


def text_faults(values: Sequence[Any]) -> Iterator[str]:
    r"""What is to be said of the texts in a column, by its first ones.

    >>> list(text_faults(["salt &amp; pepper", "so &lt; much", "fine"]))
    ["2 of 3 texts hold HTML's entities, such as '&amp;', and are learned as they stand"]
    """
    texts = [value for value in values if isinstance(value, str) and value]
    for pattern, what in _FAULTS:
        found = [each[0] for text in texts if (each := pattern.search(text))]
        if len(found) >= max(FEWEST, SHARE * len(texts)):
            shown = found[0] if len(found[0]) <= 12 else f"{found[0][:12]}…"
            yield (
                f"{len(found):,} of {len(texts):,} texts hold {what}, such as {shown!r}, and are "
                "learned as they stand"
            )
