"""Which label was answered for which: a matrix of few, of many what was confused most."""

from collections.abc import Sequence

from rich.cells import cell_len

from regard.view.folding import fold
from regard.view.page import table, text
from regard.view.ticks import percent

MOST_LABELS = 24
"""Greatest number of labels that a matrix is drawn of."""
MOST_PAIRS = 20
MOST_ROWS = 500
SHORT = 12
"""Cells of a label that may stand above a column; columns of longer ones have numbers."""

Counts = Sequence[Sequence[int]]


def confusion(labels: Sequence[str], counts: Counts) -> str:
    """What was answered for each label, as HTML; nothing where nothing was.

    Args:
        counts: `counts[i][j]` examples of label i were answered with label j.
    """
    if not labels or not any(map(any, counts)):
        return ""
    scores = by_label(labels, counts)
    if len(labels) <= MOST_LABELS:
        return matrix(labels, counts) + scores
    return most_confused(labels, counts) + scores


def matrix(labels: Sequence[str], counts: Counts) -> str:
    """A row for each label, a column for each answer, shaded by the share of the row.

    >>> "<td" in matrix(["a", "b"], [[3, 1], [0, 4]])
    True
    """
    numbered = any(cell_len(label) > SHORT for label in labels)
    head = "".join(
        f'<th scope="col">{n + 1 if numbered else _name(label)}</th>'
        for n, label in enumerate(labels)
    )
    rows = []
    for number, (label, row) in enumerate(zip(labels, counts, strict=True)):
        of, whole = f"{number + 1} · " if numbered else "", sum(row) or 1
        cells = "".join(
            f'<td{" class=same" * (number == column)} style="--w:{count / whole:.2f}">'
            f"{count:,}</td>"
            if count
            else f"<td{' class=same' * (number == column)}></td>"
            for column, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{of}{_name(label)}</th>{cells}</tr>')
    return (
        '<p class="note">Rows are labels, columns answers. The stronger the shade, the larger the '
        "share of its row; right answers are framed.</p>"
        '<div class="scroll" tabindex="0"><table class="confusion">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def most_confused(labels: Sequence[str], counts: Counts) -> str:
    """The pairs of labels that were confused most often."""
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j),
        key=lambda each: (-each[0], each[1:]),
    )
    rows = [
        [fold(labels[i]), fold(labels[j]), f"{count:,}", percent(count / sum(counts[i]))]
        for count, i, j in pairs[:MOST_PAIRS]
        if count
    ]
    if not rows:
        return "<p>No label was confused with another.</p>"
    different = sum(count > 0 for count, _, _ in pairs)
    caption = f"what was confused most often; {different:,} different confusions in all"
    return table(["label", "answer", "times", "of the label"], rows, caption=caption)


def by_label(labels: Sequence[str], counts: Counts) -> str:
    """Recall, precision and F1 of each label, worst first where there are many."""
    answered = [sum(column) for column in zip(*counts, strict=True)]
    scores = [
        (label, sum(row), answered[n], row[n])
        for n, (label, row) in enumerate(zip(labels, counts, strict=True))
        if sum(row) or answered[n]
    ]
    many = len(scores) > MOST_LABELS
    if many:
        scores.sort(key=lambda each: each[3] / ((each[1] + each[2]) or 1))
    rows = [
        [fold(label), f"{of:,}", *(_ratio(*pair) for pair in ((right, of), (right, said))),
         _ratio(2 * right, of + said)]
        for label, of, said, right in scores[:MOST_ROWS]
    ]  # fmt: skip
    inner = table(["label", "examples", "recall", "precision", "F1"], rows)
    shown = f'<div class="labels">{inner}</div>'
    if not many:
        return shown
    left = len(scores) - len(rows)
    said = f"; the {left:,} best are left out" if left else ""
    head = f"each of {len(scores):,} labels, worst first{said}"
    return f"<details><summary>{head}</summary>{shown}</details>"


def _ratio(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "–"


def _name(label: str) -> str:
    return f'<span dir="auto">{text(label)}</span>'
