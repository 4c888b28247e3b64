"""How many dates are read rightly, in which languages."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

COMMON = tuple(
    "en zh hi es ar fr bn pt ru ur id de ja pcm mr te tr ta yue vi fil ko fa ha sw "
    "jv it pa kn gu th am bho yo my uk pl ml or mai uz sd ro nl ku ps ig ms om az".split()
)
"""Fifty of the most spoken languages of CLDR, first and second speakers, as commonly estimated."""


def by_language(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The share of right answers in each language, the worst first.

    >>> record = {"language": "fr", "target": "2026-03-03", "answer": "2026-03-03"}
    >>> by_language([record, record | {"answer": "2026-03-08"}, record | {"language": "en"}])
    {'fr': 0.5, 'en': 1.0}
    """
    right: dict[str, list[bool]] = {}
    for record in records:
        right.setdefault(record["language"], []).append(record["answer"] == record["target"])
    shares = {tag: sum(each) / len(each) for tag, each in right.items()}
    return dict(sorted(shares.items(), key=lambda item: item[1]))


def date_scores(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The share of answers that are wholly right, and the mean of that in common languages."""
    shares = by_language(records)
    common = [shares[tag] for tag in COMMON if tag in shares]
    scores = {"exact": sum(r["answer"] == r["target"] for r in records) / len(records)}
    return scores | ({"exact_common": sum(common) / len(common)} if common else {})


def apart(one: str, other: str) -> int:
    """In how many places two texts differ, those behind the shorter one among them.

    >>> apart("2026-03-03", "2026-03-08"), apart("2026", "2026-03")
    (1, 3)
    """
    return sum(a != b for a, b in zip_longest(one, other))
