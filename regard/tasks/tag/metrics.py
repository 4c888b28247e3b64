"""How good tags are: accuracy of the words; precision, recall and F1 of entities."""

from collections.abc import Sequence
from typing import Any

from regard.tasks.tag.chunks import chunks

Record = dict[str, Any]


def tag_scores(records: Sequence[Record], of_chunks: bool) -> dict[str, float]:
    """Loss and accuracy of the words; precision, recall and F1 of the entities in all sentences.

    Where tags mark no entities, F1 is that of the words, averaged over words (micro): each has one
    tag and is given one, so it is their accuracy.

    >>> record = {"tags": ["B-PER", "I-PER", "O"], "answer": ["B-PER", "O", "O"], "nll": 3.0}
    >>> tag_scores([record | {"known": 3}, record | {"answer": record["tags"], "known": 3}], True)
    {'loss': 1.0, 'accuracy': 0.8333333333333334, 'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    pairs = [(r["tags"], r["answer"]) for r in records]
    words = sum(len(tags) for tags, _ in pairs)
    right = sum(a == b for tags, found in pairs for a, b in zip(tags, found, strict=True))
    scores = {
        "loss": sum(r["nll"] for r in records) / max(1, sum(r["known"] for r in records)),
        "accuracy": right / max(1, words),
    }
    if not of_chunks:
        return {**scores, "f1": scores["accuracy"]}
    wanted = found = both = 0
    for tags, answer in pairs:
        one, other = set(chunks(tags)), set(chunks(answer))
        wanted, found, both = wanted + len(one), found + len(other), both + len(one & other)
    return {
        **scores,
        "precision": both / max(1, found),
        "recall": both / max(1, wanted),
        "f1": 2 * both / max(1, wanted + found),
    }
