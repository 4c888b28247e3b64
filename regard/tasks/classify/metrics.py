"""How good labels are: accuracy, and recall and F1 averaged over labels."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

Record = dict[str, Any]

MOST_LABELS = 1000
"""Labels that are told apart in a table of confusions."""
SPOKEN = {"train": "training", "valid": "validation", "test": "test"}
"""Split → what its data are called in a sentence."""
RARE = 1.5
"""How many times its even share a label's is at least where the others are rare beside it."""


def label_record(scores: Float[Tensor, " classes"], target: int) -> Record:
    """The record of one example: its label (-1: not known), the answer, and the label's cost."""
    nll, answer = -float(scores[target]) if target >= 0 else 0.0, int(scores.argmax())
    sure = math.exp(min(0.0, float(scores[answer])))
    return {"target": target, "answer": answer, "nll": nll, "probability": sure}


def label_scores(records: Sequence[Record]) -> dict[str, float]:
    """Loss, accuracy, and recall and F1 averaged over labels, of the records that have a label."""
    known = [r for r in records if r["target"] >= 0]
    if not known:
        return {"loss": 0.0, "accuracy": 0.0, "balanced_accuracy": 0.0, "f1": 0.0}
    targets = np.array([r["target"] for r in known])
    answers = np.array([r["answer"] for r in known])
    return {
        "loss": sum(r["nll"] for r in known) / len(known),
        "accuracy": float((targets == answers).mean()),
        "balanced_accuracy": balanced_accuracy(answers, targets),
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


def balanced_accuracy(answers: np.ndarray, targets: np.ndarray) -> float:
    """The mean over the labels that are targets of the share that is answered right.

    >>> balanced_accuracy(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))
    0.5
    """
    rates = [float((answers[targets == label] == label).mean()) for label in np.unique(targets)]
    return float(np.mean(rates))


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


def one_class_only(
    records: Sequence[Record], labels: Sequence[str], split: str = "valid", weighted: bool = False
) -> str | None:
    """What is to be said where every answer is one label and the data has several, else None.

    Args:
        records: of the whole split; those without a known label do not count.
        labels: their names.
        split: whose records they are.
        weighted: the labels are weighted already, so that weighting them is no advice.

    >>> records = [{"target": 0, "answer": 0}] * 49 + [{"target": 1, "answer": 0}]
    >>> one_class_only(records, ("ham", "spam"))
    "every answer is 'ham' (98.0 % of the validation data are); try --set class_weights=balanced"
    """
    known = [record for record in records if record["target"] >= 0]
    answers, targets = ({record[key] for record in known} for key in ("answer", "target"))
    if len(answers) != 1 or len(targets) < 2:
        return None
    (answer,) = answers
    share = Counter(record["target"] for record in known)[answer] / len(known)
    advice = "train longer, or with another --lr"
    if share * len(targets) >= RARE and not weighted:
        advice = "try --set class_weights=balanced"
    about = f"{share:.1%}".replace("%", " %")
    return (
        f"every answer is {labels[answer]!r} ({about} of the {SPOKEN.get(split, split)} data are); "
        f"{advice}"
    )
