"""How good masks are: the share of pixels, and how far areas overlap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.tasks.details import Cell, Details, DetailTable, JudgedExample, worst_of

Record = dict[str, Any]


def mask_record(
    scores: Float[Tensor, "classes height width"], mask: np.ndarray, loss: float
) -> Record:
    """The record of a picture: its loss, and of each class how many pixels there are.

    Counted are those that are right, wanted and answered, where the class is known.
    """
    known = mask >= 0
    answers, wanted = scores.argmax(0).numpy()[known], mask[known]
    count = len(scores)
    return {
        "loss": loss,
        "right": np.bincount(wanted[answers == wanted], minlength=count).tolist(),
        "wanted": np.bincount(wanted, minlength=count).tolist(),
        "answered": np.bincount(answers, minlength=count).tolist(),
    }


def mask_scores(records: Sequence[Record]) -> dict[str, float]:
    """Loss, share of the pixels that are right, and overlap of areas, of all pictures together.

    `iou` is the intersection over the union, `dice` twice the intersection over the sum of both
    areas, each the mean over the classes that are wanted or answered anywhere.

    >>> records = [{"loss": 1.0, "right": [2, 0], "wanted": [3, 0], "answered": [2, 1]}]
    >>> {name: round(value, 3) for name, value in mask_scores(records).items()}
    {'loss': 1.0, 'pixel_accuracy': 0.667, 'iou': 0.333, 'dice': 0.4}
    """
    right, wanted, answered = (_sums(records, key) for key in ("right", "wanted", "answered"))
    there = wanted + answered > 0
    judged = [record for record in records if sum(record["wanted"])]
    if not judged:
        return {"loss": 0.0, "pixel_accuracy": 0.0, "iou": 0.0, "dice": 0.0}
    union = wanted + answered - right
    return {
        "loss": sum(record["loss"] for record in judged) / len(judged),
        "pixel_accuracy": float(right.sum() / wanted.sum()),
        "iou": float((right[there] / union[there]).mean()),
        "dice": float((2 * right[there] / (wanted + answered)[there]).mean()),
    }


def mask_details(
    records: Sequence[Record], labels: Sequence[str], names: Sequence[str], worst: int
) -> Details:
    """The overlap of each class, and the pictures that cost most.

    Args:
        names: of the pictures.
    """
    right, wanted, answered = (_sums(records, key) for key in ("right", "wanted", "answered"))
    rows: list[tuple[Cell, ...]] = []
    for place in np.flatnonzero(wanted + answered).tolist():
        both, one, other = right[place], wanted[place], answered[place]
        shares = (both / (one + other - both), 2 * both / (one + other))
        rows.append((labels[place], *(round(float(each), 4) for each in shares), int(one)))
    table = DetailTable("per_class", "per class", ("class", "iou", "dice", "pixels"), tuple(rows))

    def example(place: int) -> JudgedExample:
        record = records[place]
        shares = [shares_said(record[key], labels) for key in ("wanted", "answered")]
        return JudgedExample(names[place], shares[0], shares[1], record["loss"])

    chosen = worst_of([record["loss"] for record in records], worst, example)
    return Details((table,) if rows else (), chosen)


def shares_said(counts: Sequence[int], labels: Sequence[str]) -> str:
    """How large a part of a picture each class is, the largest first.

    >>> shares_said([1, 0, 3], ("0", "1", "2"))
    '2: 75.0 %, 0: 25.0 %'
    """
    total = max(1, sum(counts))
    order = sorted(range(len(counts)), key=lambda place: -counts[place])
    said = (f"{labels[n]}: {counts[n] / total:.1%}".replace("%", " %") for n in order if counts[n])
    return ", ".join(said)


def _sums(records: Sequence[Record], key: str) -> np.ndarray:
    return np.array([record[key] for record in records], dtype=np.int64).sum(0)
