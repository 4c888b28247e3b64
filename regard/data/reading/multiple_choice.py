"""Questions with the options of which one is right: recognized, and read by no task."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regard.data.reading.literals import listed
from regard.data.reading.profile import is_missing

_OPTIONS = re.compile(
    r"(options?|choices?|endings?|candidates|alternatives|distractors|mc\d?_targets)"
)
"""What options are called."""
_NUMBERED = re.compile(r"(.*[a-z]|)[ _-]?([a-f]|[0-9])", re.IGNORECASE)
"""A name with the letter or number of an option, or that alone."""
_ANSWER = re.compile(
    r"((correct|gold|right)[ _]?)?(answers?|labels?|correct|gold|right)"
    r"([ _]?(key|idx|index|id|option|choice|letter))?"
)
"""What a column is called that says which option is right."""
_LEAST = 0.9
"""Share of the rows in which an answer must be one of the options."""
LONGEST = 100
"""Characters of an option, on average, in such a table."""
MOST = 6
"""Options of a question in a table without names."""


def multiple_choice(values: Mapping[str, Sequence[Any]]) -> str:
    """What a table of such questions is, and the way out; "" for another table.

    >>> asked = {"question": ["2 + 2?"], "options": [["3", "4"]], "answer": ["B"]}
    >>> multiple_choice(asked).partition(", which")[0]
    'asks for one of several options (options; answer: B)'
    """
    for options, counts in _options(values):
        for name, answers in values.items():
            plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.split(".")[-1]).lower()
            if name not in options and _ANSWER.fullmatch(plain) and _choose(answers, counts):
                shown = next(each for each in answers if not is_missing(each))
                return _said(f"{', '.join(options)}; {name}: {str(shown)[:20]}")
    unnamed = _unnamed(values) if all(map(str.isdigit, values)) else ()
    return _said(f"columns {', '.join(unnamed)}") if unnamed else ""


def _said(options: str) -> str:
    return (
        f"asks for one of several options ({options}), which is not read; write a row for each "
        "option, with the question, the option and 1 or 0 (--task match), or the question and the "
        "text of its answer (--task text_to_text)"
    )


def _unnamed(values: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The options in a table without names: behind a question, or between one and a letter."""
    names = list(values)
    asked = [n for n, name in enumerate(names) if _are(values[name], _is_question)]
    for place in asked:
        end = next((n for n in asked if n > place), len(names))
        if 3 <= end - place - 1 <= MOST and _are_options(names[place + 1 : end], values):
            return tuple(names[place + 1 : end])
    letters = {str(each).strip() for each in values[names[-1]]}
    options = names[1:-1]
    known = {*"ABCDEF"[: len(options)]}
    if 3 <= len(options) <= MOST and 1 < len(letters) and letters <= known:
        longer = sum(len(str(each).split()) for each in values[names[0]])
        if longer >= 3 * len(values[names[0]]) and _are_options(options, values):
            return tuple(options)
    return ()


def _is_question(value: Any) -> bool:
    return str(value).rstrip().endswith(("?", "？"))


def _are(values: Sequence[Any], such: Callable[[Any], bool]) -> bool:
    return sum(map(such, values)) >= _LEAST * max(1, len(values))


def _are_options(names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether columns are texts that differ from each other in every row, and no questions."""
    rows = list(zip(*(map(str, values[name]) for name in names), strict=True))
    texts = _are([cell for row in rows for cell in row], lambda cell: any(map(str.isalpha, cell)))
    lengths = sorted(sum(map(len, column)) for column in zip(*rows, strict=True))
    if lengths[-1] > MOST * max(1, lengths[0]) or lengths[-1] > LONGEST * len(rows):
        return False  # An answer, its text and its source are no options.
    return texts and _are(rows, lambda row: len({*row}) == len(row) and all(row))


def _options(values: Mapping[str, Sequence[Any]]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """The columns of options, and the options of each row: a list in one, or one in each."""
    found: list[tuple[tuple[str, ...], list[Any]]] = []
    for name, some in values.items():
        if any(_OPTIONS.fullmatch(part) for part in name.lower().split(".")):
            lists = [_as_list(each) for each in some]
            if any(len(each) > 1 for each in lists):
                found.append(((name,), lists))
    stems: dict[str, list[str]] = {}
    for name in values:
        parts = _NUMBERED.fullmatch(name)
        if parts and (_OPTIONS.fullmatch(parts[1].lower()) or (not parts[1] and name.isalpha())):
            stems.setdefault(parts[1].lower(), []).append(name)
    for names in stems.values():
        if len(names) > 1 and (len(names) > 2 or len(names[0]) > 1):
            rows = zip(*(values[name] for name in names), strict=True)
            found.append((tuple(names), [list(row) for row in rows]))
    return found


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return listed(value) or []
    return list(value) if isinstance(value, (list, tuple)) else []


def _choose(answers: Sequence[Any], options: Sequence[Sequence[Any]]) -> bool:
    """Whether the answers are letters, numbers or texts of the options beside them."""
    rows = [
        (answer, given)
        for answer, given in zip(answers, options, strict=True)
        if given and not is_missing(answer)
    ]
    return bool(rows) and sum(_is_one(*row) for row in rows) >= _LEAST * len(rows)


def _is_one(answer: Any, given: Sequence[Any]) -> bool:
    if isinstance(answer, (list, tuple)):  # Several questions on one text, each with its options.
        inner = [each for each in given if isinstance(each, (list, tuple))]
        return len(answer) == len(inner) > 0 and all(map(_is_one, answer, inner))
    text = str(answer).strip().removesuffix(".0")
    if text.isdigit():
        return int(text[:9]) <= len(given)
    letter = text.strip("().").upper()
    if len(letter) == 1 and "A" <= letter <= "Z":
        return ord(letter) - ord("A") < len(given)
    return text in [str(each).strip() for each in given]
