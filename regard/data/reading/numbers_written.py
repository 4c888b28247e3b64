"""Numbers as people write them, with a decimal comma too, and all of a column with one unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+")
_GROUPS = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,}|(\.\d{3}){2,})")
"""Numbers whose thousands stand apart, which can be read in one way alone."""
_APART = re.compile(r"(?<=\d)(?P<mark>['’\u00a0\u202f ])(?=\d{3}(?:(?P=mark)\d{3})*(?:[.,]\d+)?$)")
"""What stands between thousands that are no numbers of their own: `6'326.58`, `1 778,00`."""
_BELOW = re.compile(r"\((\d[\d.,]*[.,]\d+)\)")
"""An amount below zero, as accountants write it: `(0.52)`."""
_UNIT = re.compile(
    r"(?P<before>(?:[$€£¥₹]|USD|EUR|GBP|CHF)\s?)?"
    r"(?P<number>[+-]?\d(?:[\d.,]|['’\u00a0\u202f ](?=\d{3}))*)"
    r"(?P<behind>\s?[%€£¥₹$]|\s?(?:USD|EUR|GBP|CHF)|\s[^\W\d]{1,9}[²³]?)?"
)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_RANGE = re.compile(r"[\d.,]{1,12}\s?(-|–|to)\s?[\d.,]{1,12}")
_CLOCK = re.compile(r"\d{1,3}:\d\d(:\d\d([.,]\d+)?)?")
_SMALL = re.compile(r"[+-]?\d{1,3}")
MISSING = frozenset(("n/a", "na", "nan", "#n/a", "null", "none", "-", "?"))
"""What a column of numbers says, in lower case, where it has none."""


@dataclass(frozen=True)
class Written:
    """How the numbers of a column are written.

    Args:
        before: what stands before each, such as `$`.
        behind: what stands behind each, such as ` km`.
        thousands: a comma stands between thousands, as in `3,711`.
    """

    before: str = ""
    behind: str = ""
    thousands: bool = False

    def number(self, text: str) -> float | None:
        """The number that a text is, None for any other text.

        >>> Written(before="$").number("$1,000.00"), Written(thousands=True).number("3,711")
        (1000.0, 3711.0)
        """
        plain = _plain(text).removeprefix(self.before).removesuffix(self.behind).strip()
        return number_in(plain.replace(",", "") if self.thousands else plain)


def written_as(texts: Sequence[str]) -> Written:
    """How the numbers of a column are written, by its first values.

    A comma before three digits stands between thousands where it does so in all of them.

    >>> written_as(["12 km", "7 km"]), written_as(["3,711", "950"]).thousands
    (Written(before='', behind=' km', thousands=False), True)
    >>> written_as(["0,711", "1,250"]).thousands, written_as(["v1", "v2"]) == Written()
    (False, True)
    """
    filled = [_plain(text) for text in texts if text.strip().lower() not in MISSING]
    found = [_UNIT.fullmatch(text) for text in filled]
    units = {(each["before"] or "", each["behind"] or "") for each in found if each}
    before, behind = units.pop() if len(units) == 1 and all(found) else ("", "")
    plain = [text.removeprefix(before).removesuffix(behind).strip() for text in filled]
    commas = [text for text in plain if "," in text]
    others = (text for text in plain if "," not in text)
    thousands = all(map(_THOUSANDS.fullmatch, commas)) and all(map(_SMALL.fullmatch, others))
    return Written(before, behind, bool(commas) and thousands)


def is_amount(text: str) -> bool:
    """Whether a text is a number with a unit, or a range of numbers, or a time of a clock.

    >>> is_amount("801 kg"), is_amount("$ 5"), is_amount("12 angry men"), is_amount("18-25")
    (True, True, False, True)
    """
    plain = text.strip()
    return any(form.fullmatch(plain) for form in (_UNIT, _RANGE, _CLOCK))


def number_in(text: str) -> float | None:
    """The number that a text is, None for any other text.

    >>> number_in("4.5"), number_in(" 1.234,5"), number_in("nan"), number_in("4 stars")
    (4.5, 1234.5, None, None)
    >>> number_in("1,234.5"), number_in("1,234,567"), number_in("1.234.567"), number_in("6'326.5")
    (1234.5, 1234567.0, 1234567.0, 6326.5)
    >>> number_in("\N{MINUS SIGN}4"), number_in("(0.52)"), number_in("1 234,5"), number_in("(4)")
    (-4.0, -0.52, 1234.5, None)
    """
    text = _APART.sub("", _plain(text))
    if _GROUPS.fullmatch(text):
        text = text.replace(",", "") if "," in text else text.replace(".", "")
    elif _COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    # float() takes underscores, infinities and other scripts' digits too.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        return None
    return float(text)


def _plain(text: str) -> str:
    """A number with the sign of ASCII before it."""
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    below = _BELOW.fullmatch(text)
    return f"-{below[1]}" if below else text
