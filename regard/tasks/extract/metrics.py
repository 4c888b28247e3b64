"""How good answers are that stand in a passage: exact match and F1 as SQuAD has them."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Record = dict[str, Any]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_SIGNS = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """An answer without case, punctuation, articles and needless spaces.

    >>> normalized("The  U.S.A., a  land")
    'usa land'

    References:
        Rajpurkar, Zhang, Lopyrev & Liang. SQuAD: 100,000+ Questions for Machine Comprehension of
        Text. 2016. https://arxiv.org/abs/1606.05250
    """
    plain = answer.lower().translate(_WITHOUT_SIGNS)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(answer: str, gold: str) -> float:
    """1 where both are the same once they are normalized, else 0."""
    return float(normalized(answer) == normalized(gold))


def word_f1(answer: str, gold: str) -> float:
    """2 · precision · recall / (precision + recall) of the words; of nothing and nothing it is 1.

    >>> word_f1("in the city of Rome", "Rome"), word_f1("", "Rome"), word_f1("", "the")
    (0.4, 0.0, 1.0)
    """
    one, other = normalized(answer).split(), normalized(gold).split()
    if not one or not other:
        return float(one == other)
    same = sum((Counter(one) & Counter(other)).values())
    return 2 * same / (len(one) + len(other))


def answer_scores(records: Sequence[Record]) -> dict[str, float]:
    """Loss of the answers that stand in their passages, exact match and F1 of all.

    Of several right answers the one counts that is most alike. Where some questions have no answer,
    `answerable_f1` is that of the others.

    >>> record = {"gold": ["Rome", "city of Rome"], "answer": "the city", "nll": 2.0, "known": True}
    >>> answer_scores([record, record | {"answer": "", "gold": [""]}])
    {'loss': 2.0, 'exact_match': 0.5, 'f1': 0.75, 'answerable_f1': 0.5}
    """
    count, known = max(1, len(records)), [r["nll"] for r in records if r["known"]]
    f1 = [_best(word_f1, r) for r in records]
    scores = {
        "loss": sum(known) / max(1, len(known)),
        "exact_match": sum(_best(exact_match, r) for r in records) / count,
        "f1": sum(f1) / count,
    }
    answerable = [value for value, r in zip(f1, records, strict=True) if any(_golds(r))]
    if 0 < len(answerable) < len(records):
        scores["answerable_f1"] = sum(answerable) / len(answerable)
    return scores


def _best(measure: Callable[[str, str], float], record: Record) -> float:
    return max(measure(record["answer"], gold) for gold in _golds(record))


def _golds(record: Record) -> list[str]:
    """The right answers in which something is left once they are normalized, else none."""
    return [gold for gold in record["gold"] if normalized(gold)] or [""]
