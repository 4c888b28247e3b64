"""Labels that look like one and are learned as several, and those that look like none: told."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import combinations

SAID = 5
"""Of how many labels that look alike a sentence is said."""
FEW = 50
"""Labels among which misspelled ones are looked for."""
_SAME = (
    *("yes y", "no n", "true t", "false f", "positive pos", "negative neg", "neutral neu"),
    *("male m", "female f", "entailment entailed", "duplicate dup", "not_duplicate not_dup"),
)
_LONG = {short: long for long, short in (pair.split() for pair in _SAME)}
_MARKS = ("/", "+", ";", ",", "&", "|")
_NONE = frozenset("none unknown missing undefined unlabeled unlabelled unspecified".split())
_RARE, _CLOSE, _LETTERS = 0.4, 0.85, 4
"""A misspelled label is this much rarer, this close to the other, and at least so long."""


def look_alikes(counts: Mapping[str, int]) -> Iterator[str]:
    """What is to be said of labels that may be meant as one, or as none; they stay what they are.

    >>> list(look_alikes({"yes": 4, "Y": 3, "no": 5}))
    ['"Y" and "yes" are learned as 2 labels; if they are one, write them alike']
    >>> list(look_alikes({"good": 9, "bad": 8, "None": 2}))[0][:31]
    '"None" is learned as a label of'
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in counts:
        plain = label.casefold().strip(" \"'.,!?;:")
        groups[_LONG.get(plain, plain) or label].append(label)
    if {*groups} == {"true", "false", "1", "0"}:
        groups["true"] += groups.pop("1")
        groups["false"] += groups.pop("0")
    alike = [sorted(group) for group in groups.values() if len(group) > 1]
    near = (pair for pair in _misspelled(counts) if not any({*pair} <= {*one} for one in alike))
    for group in [*alike, *near][:SAID]:
        listed = " and ".join(f'"{label}"' for label in group)
        yield f"{listed} are learned as {len(group)} labels; if they are one, write them alike"
    joined = _joined(counts)
    if joined:
        yield (
            f'"{joined[1]}" is learned as one label; if it is several, write them with | between '
            f"instead of {joined[0]}, and say --task multilabel"
        )
    for label in counts:
        if label.casefold() in _NONE:
            yield (
                f'"{label}" is learned as a label of its own; if it says that there is none, leave '
                "these cells empty"
            )


def _joined(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """A mark between labels that seem to be several, and one of these: their parts come back."""
    for mark in _MARKS:
        joined = [label for label in counts if mark in label.strip(mark)]
        held = Counter(part.strip() for label in counts for part in label.split(mark))
        parts = {part.strip() for label in joined for part in label.split(mark)}
        again = sum(held[part] > 1 for part in parts)
        if len(joined) > 1 and 2 * again > len(parts) and not any(map(str.isdigit, parts)):
            return mark, joined[0]
    return None


def _misspelled(counts: Mapping[str, int]) -> Iterator[list[str]]:
    """Pairs of labels of which one may be the other with a letter wrong."""
    words = [label for label in counts if len(label) >= _LETTERS and not re.search(r"\d", label)]
    for one, two in combinations(sorted(words) if len(counts) <= FEW else (), 2):
        fewer, more = sorted((counts[one], counts[two]))
        near = abs(len(one) - len(two)) <= 1 and one.casefold() != two.casefold()
        if near and fewer <= _RARE * more:
            if SequenceMatcher(None, one.casefold(), two.casefold()).ratio() >= _CLOSE:
                yield [one, two]
