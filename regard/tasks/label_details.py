"""Labels one by one: how well each is found, what it is taken for, and the worst mistakes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from regard.tasks.details import Cell, Details, DetailTable, JudgedExample, worst_of

Record = dict[str, Any]

SHOWN = 20
"""Classes that have a row and a column of their own in the confusion matrix."""
REST = "(others)"
LISTED = 10
"""Unknown labels that are listed."""


def label_details(
    records: Sequence[Record],
    labels: Sequence[str],
    written: Callable[[int], tuple[str, str]],
    worst: int,
) -> Details:
    """What records of `label_record` tell.

    Args:
        labels: by their numbers.
        written: the input and the label of a record by its place, as they stand in the data.
        worst: examples that are wanted.
    """
    known = [n for n, record in enumerate(records) if record["target"] >= 0]
    targets = np.array([records[n]["target"] for n in known], dtype=np.int64)
    answers = np.array([records[n]["answer"] for n in known], dtype=np.int64)

    def example(place: int) -> JudgedExample:
        record = records[known[place]]
        text, label = written(known[place])
        sure = record.get("probability")
        return JudgedExample(text, label, labels[record["answer"]], record["nll"], sure)

    wrong = np.flatnonzero(targets != answers)
    chosen = worst_of(
        [records[known[n]]["nll"] for n in wrong], worst, lambda n: example(int(wrong[n]))
    )
    tables = (per_class(targets, answers, labels), confusion(targets, answers, labels))
    unknown = Counter(written(n)[1] for n, each in enumerate(records) if each["target"] < 0)
    return Details(tables if known else (), chosen, _remarks(unknown, len(records)))


def per_class(targets: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> DetailTable:
    """Precision, recall and F1 of each label that is wanted or answered; what is 0 of 0 is 0.

    >>> per_class(np.array([0, 0, 1]), np.array([0, 1, 1]), ("a", "b")).rows
    (('a', 1.0, 0.5, 0.6667, 2), ('b', 0.5, 1.0, 0.6667, 1))
    """
    wanted, given = Counter(targets.tolist()), Counter(answers.tolist())
    return per_label(wanted, given, Counter(targets[targets == answers].tolist()), labels)


def per_label(
    wanted: Counter[int], given: Counter[int], both: Counter[int], labels: Sequence[str]
) -> DetailTable:
    """The same from how often each label is wanted, answered, and both."""
    rows: list[tuple[Cell, ...]] = []
    for label in sorted(wanted.keys() | given.keys()):
        right, found, total = both[label], given[label], wanted[label]
        shares = (right / max(1, found), right / max(1, total), 2 * right / (total + found))
        rows.append((labels[label], *(round(share, 4) for share in shares), total))
    columns = ("label", "precision", "recall", "f1", "support")
    return DetailTable("per_class", "per class", columns, tuple(rows))


def confusion(targets: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> DetailTable:
    """How often each label (rows) got each answer (columns): the largest classes, the rest summed.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ("a", "b")).rows
    (('a', 1, 1), ('b', 0, 1))
    """
    count = Counter(targets.tolist())
    there = np.union1d(targets, answers).tolist()
    largest = sorted(there, key=lambda label: (-count[label], label))[:SHOWN]
    kept, note = sorted(largest), ""
    names = [labels[label] for label in kept]
    if len(there) > len(kept):
        names.append(REST)
        note = f"the {SHOWN} largest of {len(there):,} classes; {REST} are the other ones together"
    place = {label: n for n, label in enumerate(kept)}
    matrix = np.zeros((len(names), len(names)), dtype=int)
    for target, answer in zip(targets.tolist(), answers.tolist(), strict=True):
        matrix[place.get(target, len(kept)), place.get(answer, len(kept))] += 1
    rows = tuple((name, *row) for name, row in zip(names, matrix.tolist(), strict=True))
    title = "confusion (rows: wanted, columns: answered)"
    return DetailTable("confusion", title, ("", *names), rows, note)


def _remarks(unknown: Counter[str], count: int) -> tuple[str, ...]:
    """Which labels the network does not know."""
    if not unknown:
        return ()
    said = ", ".join(f"{label!r} {n:,}" for label, n in unknown.most_common(LISTED))
    more = f" and {len(unknown) - LISTED:,} more" if len(unknown) > LISTED else ""
    total = sum(unknown.values())
    return (
        f"{total:,} of {count:,} rows have a label that the run does not know and are not judged: "
        f"{said}{more}",
    )
