"""How good texts are beside those that were wanted: ROUGE, and how many are the same."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from regard._io.extra import extra

KINDS = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}
"""What we call the three, and what the package does."""


def rouge(answers: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """The mean F of ROUGE-1, ROUGE-2 and ROUGE-L over all texts, from 0 to 100.

    As T5 was measured: by Google's `rouge_score`, words stemmed. It reads Latin letters and digits
    and nothing else. Beside it, the share of answers that are the wanted text, spaces apart.

    >>> found = rouge(["the cat sat", "no"], ["the cats sat down", "no"])
    >>> found["rouge2"], found["exact_match"]
    (40.0, 0.5)

    References:
        Lin. ROUGE: A Package for Automatic Evaluation of Summaries. 2004.
        https://aclanthology.org/W04-1013
    """
    each = [_scores(one, other) for one, other in zip(answers, targets, strict=True)]
    count = max(1, len(each))
    found = {name: round(sum(row[name] for row in each) / count, 4) for name in KINDS}
    same = sum(a.split() == t.split() for a, t in zip(answers, targets, strict=True))
    return {**found, "exact_match": same / count}


def rouge_l(answer: str, target: str) -> float:
    """The ROUGE-L of one text, from 0 to 100."""
    return _scores(answer, target)["rouge_l"]


def unread_share(texts: Sequence[str]) -> float:
    """Which share of the letters ROUGE does not read.

    >>> unread_share(["ab", "вг"])
    0.5
    """
    letters = [letter for text in texts for letter in text if letter.isalnum()]
    return sum(not letter.isascii() for letter in letters) / max(1, len(letters))


def _scores(answer: str, target: str) -> dict[str, float]:
    found = _scorer().score(target, answer)
    return {name: 100.0 * float(found[kind].fmeasure) for name, kind in KINDS.items()}


@cache
def _scorer() -> Any:
    package = extra("rouge_score.rouge_scorer")
    return package.RougeScorer(list(KINDS.values()), use_stemmer=True)
