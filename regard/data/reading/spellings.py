"""One label in several spellings: "good", "Good" and "good " are one class, and that is said."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

SAID = 10
"""Labels of whose spellings a sentence each is said; the rest is counted."""

_INVISIBLE = dict.fromkeys(
    map(
        ord,
        "\u200b\u2060\ufeff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    )
)
"""What cannot be seen in a label, marks of the direction of writing among it."""
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WHOLE = re.compile(r"([+-]?)([0-9]+)(\.0+)?")
_ABBREVIATIONS = tuple(map(frozenset, ("yn", "tf", "mf", "pn")))
"""Letters that stand for yes and no, true and false, male and female, positive and negative."""
_ALIKE = 0.25
"""Share of the more frequent letter's examples that the other has where both are classes."""


def merged_spellings(counts: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """The label that each label is read as, where that is another; and what is to be said of it.

    Labels are one if they differ only in spaces around or between their words, in letter case, in
    the Unicode form of their characters (composed or not, full-width or not), or as whole numbers
    with and without zeros behind the point. What all are read as is the most frequent spelling; of
    equally frequent ones the shortest, then the first by the alphabet. Spaces around a label are
    taken away even where there is no other spelling, which needs no word.

    Case stays where it looks meant: where labels that differ in it alone are single letters, the
    rarer at least a quarter as frequent as the other (the classes `a` and `A` of handwriting), and
    no other label of the data is written in two cases. The letters of yes and no (`y`, `Y`), true
    and false, male and female, positive and negative are abbreviations, and made one. Numbers that
    begin with zeros (`01`) are codes and stay what they are; so do `1` and `true`.

    >>> found, said = merged_spellings({"good": 7, "good ": 2, "Good": 2, "bad": 9, "1.0": 1})
    >>> found
    {'good ': 'good', 'Good': 'good'}
    >>> said
    ['"good", "Good", "good " are read as one label, "good"']
    """
    tidied = {label: _tidy(label) for label in counts}
    frequency: Counter[str] = Counter()
    for label, tidy in tidied.items():
        if tidy:  # An empty label is none, and a matter of whoever reads the rows.
            frequency[tidy] += counts[label]
    kept = _meant_cases(frequency)
    groups = _grouped(frequency, lambda tidy: tidy if tidy in kept else _folded(tidy).lower())
    best = {tidy: _most_frequent(group, frequency) for group in groups for tidy in group}
    spelled = {label: best[tidy] for label, tidy in tidied.items() if tidy}
    told = [_one_label(group, counts) for group in _read_as_one(spelled, counts)]
    if len(told) > SAID:
        more = len(told) - SAID
        told = [*told[:SAID], f"{more:,} more labels are made one of several spellings each"]
    if kept:
        letters = sorted(kept, key=lambda letter: (letter.lower(), letter))
        listed = ", ".join(map(_quoted, letters[:SAID]))
        told.append(f"{listed} differ in case alone and stay labels of their own")
    return {label: read for label, read in spelled.items() if read != label}, told


def _tidy(label: str) -> str:
    """The label composed, its spaces single ones, and none around it."""
    return " ".join(unicodedata.normalize("NFC", label).translate(_INVISIBLE).split())


def _folded(tidy: str) -> str:
    """The label without what its spelling may differ in, but for its case."""
    narrow = tidy.translate(_FULL_WIDTH)
    number = _WHOLE.fullmatch(narrow)
    if number is None:
        return narrow
    sign, digits, _ = number.groups()
    return digits if sign == "+" or not digits.strip("0") else sign + digits


def _meant_cases(frequency: Mapping[str, int]) -> frozenset[str]:
    """The labels whose case distinguishes them: all that have another case, or none."""
    cased = [
        group
        for group in _grouped(frequency, lambda tidy: _folded(tidy).lower())
        if len({_folded(tidy) for tidy in group}) > 1
    ]
    letters = {_folded(tidy).lower() for group in cased for tidy in group}
    abbreviated = any(letters <= pair for pair in _ABBREVIATIONS)
    if abbreviated or not all(_are_classes(group, frequency) for group in cased):
        return frozenset()
    return frozenset(tidy for group in cased for tidy in group)


def _are_classes(group: Sequence[str], frequency: Mapping[str, int]) -> bool:
    """Whether these are single letters, each as written once, and none of them rare."""
    numbers = [frequency[tidy] for tidy in group]
    letters = all(len(tidy) == 1 for tidy in group) and len(group) == 2
    return letters and min(numbers) >= _ALIKE * max(numbers)


def _grouped(labels: Mapping[str, int], key: Callable[[str], str]) -> list[list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[key(label)].append(label)
    return list(groups.values())


def _most_frequent(group: Sequence[str], frequency: Mapping[str, int]) -> str:
    return min(group, key=lambda tidy: (-frequency[tidy], len(tidy), tidy))


def _read_as_one(spelled: Mapping[str, str], counts: Mapping[str, int]) -> list[list[str]]:
    """The labels that have several spellings, the most frequent label first."""
    groups = [group for group in _grouped(counts, lambda x: spelled.get(x, "")) if len(group) > 1]
    groups = [group for group in groups if group[0] in spelled]
    for group in groups:
        group.sort(key=lambda label: (label != spelled[label], -counts[label], len(label), label))
        group.insert(0, spelled[group[0]])
    return sorted(groups, key=lambda group: -sum(counts[label] for label in group[1:]))


def _one_label(group: Sequence[str], counts: Mapping[str, int]) -> str:
    """The sentence about one label, whose first spelling is the one that all are read as."""
    read, *written = group
    return f"{', '.join(map(_quoted, written))} are read as one label, {_quoted(read)}"


def _quoted(label: str) -> str:
    """A label as it can be told from others that look like it."""
    plain = all(letter.isprintable() for letter in label) and unicodedata.is_normalized(
        "NFC", label
    )
    shown = label if plain else ascii(label)[1:-1]
    return f'"{shown}"' if len(shown) <= 50 else f'"{shown[:49]}…"'
