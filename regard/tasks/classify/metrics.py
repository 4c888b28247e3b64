"""How good labels are: accuracy, and F1 averaged over labels."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

Record = dict[str, Any]

MOST_LABELS = 1000
"""Labels that are told apart in a table of confusions."""


def label_record(scores: Float[Tensor, " classes"], target: int) -> Record:
    """The record of one example: its label (-1: not known), the answer, and the label's cost."""
    nll = -float(scores[target]) if target >= 0 else 0.0
    return {"target": target, "answer": int(scores.argmax()), "nll": nll}


def label_scores(records: Sequence[Record]) -> dict[str, float]:
    """Loss, accuracy and F1 of the records that have a label."""
    known = [r for r in records if r["target"] >= 0]
    if not known:
        return {"loss": 0.0, "accuracy": 0.0, "f1": 0.0}
    targets = np.array([r["target"] for r in known])
    answers = np.array([r["answer"] for r in known])
    return {
        "loss": sum(r["nll"] for r in known) / len(known),
        "accuracy": float((targets == answers).mean()),
        "f1": macro_f1(answers, targets),
    }


def label_confusion(
    records: Sequence[Record], labels: Sequence[str], most: int = MOST_LABELS
) -> tuple[list[str], list[list[int]]] | None:
    """How often each label (rows) was answered with each (columns); None without a known label.

    Labels beyond the `most` that occur most often are counted together as the last one.

    >>> records = [{"target": 0, "answer": 1}, {"target": 1, "answer": 1}, {"target": -1}]
    >>> label_confusion(records, ["no", "yes"])
    (['no', 'yes'], [[0, 1], [0, 1]])
    """
    pairs = [(record["target"], record["answer"]) for record in records if record["target"] >= 0]
    if not pairs:
        return None
    kept = list(range(len(labels)))
    if len(labels) > most:
        often = Counter(label for pair in pairs for label in pair)
        kept = sorted(label for label, _ in often.most_common(most))
    place = {label: n for n, label in enumerate(kept)}
    names = [labels[label] for label in kept]
    if len(kept) < len(labels):
        names.append(f"({len(labels) - len(kept):,} other labels)")
    counts = [[0] * len(names) for _ in names]
    for target, answer in pairs:
        counts[place.get(target, -1)][place.get(answer, -1)] += 1
    return names, counts


def macro_f1(answers: np.ndarray, targets: np.ndarray) -> float:
    """The mean over labels of 2 · precision · recall / (precision + recall).

    Labels that are neither a target nor an answer do not count.

    >>> round(macro_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])), 4)
    0.7333
    """
    scores = []
    for label in np.union1d(answers, targets):
        both = int(((answers == label) & (targets == label)).sum())
        scores.append(2 * both / int((answers == label).sum() + (targets == label).sum()))
    return float(np.mean(scores))
