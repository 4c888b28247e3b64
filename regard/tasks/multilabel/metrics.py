"""How good sets of labels are: F1 over all decisions and over labels, and sets that are right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

Record = dict[str, Any]


def multilabel_scores(records: Sequence[Record], classes: int) -> dict[str, float]:
    """Loss, micro F1 as `f1`, macro F1, and the share of sets that are right as a whole.

    Micro F1 counts the labels of all records together; macro F1 is the mean of each label's own,
    of the labels that are a target or an answer. Labels that the training data did not have are
    targets that are missed. Where there is neither a target nor an answer, F1 is 0.

    Args:
        records: each with the numbers of its labels (`target`) and of those that were answered
            (`answer`), how many of its labels are `unknown`, and its loss (`nll`).
        classes: how many labels there are.

    >>> records = [
    ...     {"target": [0, 1], "answer": [0], "unknown": 0, "nll": 1.0},
    ...     {"target": [2], "answer": [2], "unknown": 0, "nll": 0.5},
    ... ]
    >>> scores = multilabel_scores(records, classes=3)
    >>> scores["f1"], round(scores["macro_f1"], 4), scores["exact"], scores["loss"]
    (0.8, 0.6667, 0.5, 0.75)
    """
    if not records:
        return {"loss": 0.0, "f1": 0.0, "macro_f1": 0.0, "exact": 0.0}
    both, answered, wanted = (np.zeros(classes, dtype=np.int64) for _ in range(3))
    exact = unknown = 0
    for record in records:
        target, answer = set(record["target"]), set(record["answer"])
        both[list(target & answer)] += 1
        answered[list(answer)] += 1
        wanted[list(target)] += 1
        unknown += record["unknown"]
        exact += target == answer and not record["unknown"]
    there = answered + wanted > 0
    return {
        "loss": sum(record["nll"] for record in records) / len(records),
        "f1": _f1(both.sum(), answered.sum() + wanted.sum() + unknown),
        "macro_f1": float(
            np.mean(2 * both[there] / (answered + wanted)[there]) if there.any() else 0
        ),
        "exact": exact / len(records),
    }


def _f1(both: Int[np.ndarray, ""] | np.int64, all_of_them: Any) -> float:
    """2 · precision · recall / (precision + recall), from counts of labels."""
    return 2 * int(both) / int(all_of_them) if all_of_them else 0.0
