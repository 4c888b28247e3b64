"""What an evaluation of sets of labels shows that its metrics do not."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from regard.tasks.classify.metrics import SPOKEN
from regard.tasks.multilabel.coder import joined

Record = dict[str, Any]
NAMED = 3
"""Unknown labels that are named."""


def one_set_only(
    records: Sequence[Record], labels: Sequence[str], split: str, threshold: float
) -> str | None:
    """What is to be said where every answer is the same and the data has several, else None.

    >>> records = [{"target": [], "answer": [], "unknown": 0}] * 3
    >>> records += [{"target": [0], "answer": [], "unknown": 0}]
    >>> one_set_only(records, ["toxic"], "valid", 0.5)
    'every answer is (none) (75.0 % of the validation data are); try --set threshold=0.25'
    """
    targets = Counter(tuple(sorted(record["target"])) for record in records)
    answers = {tuple(sorted(record["answer"])) for record in records}
    if len(answers) != 1 or len(targets) < 2:
        return None
    (answer,) = answers
    about = f"{targets[answer] / len(records):.1%}".replace("%", " %")
    advice = "train longer, or with another --lr"
    if not answer:
        advice = f"try --set threshold={threshold / 2:.2g}"
    return (
        f"every answer is {joined([labels[place] for place in answer])} ({about} of the "
        f"{SPOKEN.get(split, split)} data are); {advice}"
    )


def unknown_labels(records: Sequence[Record], names: Sequence[str], split: str) -> str | None:
    """What is to be said of labels that the training data does not have, None without any.

    Args:
        names: of such labels.

    >>> unknown_labels([{"unknown": 2}, {"unknown": 1}], ["blue", "soft"], "test")
    "3 labels of the test data are not in the training data and count as missed: 'blue', 'soft'"
    """
    count = sum(record["unknown"] for record in records)
    if not count:
        return None
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    one = count == 1
    return (
        f"{count:,} label{'s' * (not one)} of the {SPOKEN.get(split, split)} data "
        f"{'is' if one else 'are'} not in the training data and count{'s' * one} as missed: "
        f"{', '.join(map(repr, names[:NAMED]))}{more}"
    )
