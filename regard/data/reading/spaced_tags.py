"""Labels, or codes of items, in one cell with spaces between: `python pandas csv`, `i3 i17`."""

from collections.abc import Sequence
from typing import Any

from regard.data.reading.profile import LONGEST_LABEL, is_missing

_SEVERAL = 0.2
"""Share of the cells that must hold more than one."""
_MOST = 6
"""Labels in a cell on average, where a text has more."""


def are_spaced_tags(values: Sequence[Any]) -> bool:
    """Whether cells are combinations of labels: of words that come back, in any place.

    In names of several words some are only ever first and others only ever last, and there are
    fewer names than words; tags make more combinations than there are tags.

    >>> are_spaced_tags(["csv python", "python csv regex", "regex", "regex csv", "python regex"])
    True
    >>> are_spaced_tags(["very good", "good", "bad", "very bad", "not good", "not bad", "good"])
    False
    """
    cells = [str(value).split() for value in values if not is_missing(value)]
    several = [cell for cell in cells if len(cell) > 1]
    if len(several) < max(3, _SEVERAL * len(cells)):
        return False
    words = [word for cell in cells for word in cell]
    known = {*words}
    plain = all(len(word) <= LONGEST_LABEL and word[-1] not in ".,;:!?" for word in known)
    if not plain or len(words) > _MOST * len(cells) or 2 * len(known) > len(words):
        return False
    first, later = {cell[0] for cell in several}, {word for cell in several for word in cell[1:]}
    combined = len({frozenset(cell) for cell in cells})
    twice = any(len({*cell}) < len(cell) for cell in cells)
    return not twice and combined > len(known) and 2 * len(first & later) >= len(known) > 2


def are_spaced_codes(values: Sequence[Any]) -> bool:
    """Whether cells are several codes, with digits in each, which come back.

    >>> are_spaced_codes(["i3 i17 i4", "i4 i3"]), are_spaced_codes(["at 10 o'clock", "at 11"])
    (True, False)
    """
    cells = [str(value).split() for value in values if not is_missing(value)]
    words = [word for cell in cells for word in cell]
    digits = all(any(map(str.isdigit, word)) for word in words)
    return digits and 3 * len(cells) <= 2 * len(words) and len({*words}) < len(words)
