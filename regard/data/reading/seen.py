"""What is told of rows as they are written: how many of each label, and what stands twice."""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np

from regard.data.reading.corpus import one_line
from regard.data.reading.natural import natural
from regard.data.schema import Cell, ColumnKind, Schema

SHOWN, LABEL_SHOWN = 12, 40
"""Labels that are told with their counts, and characters of one."""
REPEATED = 0.1
"""Share of training examples that stand there before, from which on it is told."""


class Seen:
    """Looks at the rows of all splits, one after the other.

    Args:
        schema: of the rows. Its last column that must be there is the answer, those before it are
            what is asked.
    """

    def __init__(self, schema: Schema) -> None:
        required = schema.required
        answers = (ColumnKind.LABEL, ColumnKind.LIST, ColumnKind.FLOAT)
        answer = len(required) - 1
        self._answer = answer if required[answer].kind in answers else None
        self._kind = required[answer].kind
        names = any(column.kind is ColumnKind.NAME for column in required)
        self._asked = 0 if schema.running_text or names else max(1, answer)
        self._labels: Counter[str] = Counter()
        self._range = [math.inf, -math.inf, 0.0]
        self._draws: dict[str, array[int]] = {}

    def add(self, split: str, row: tuple[Cell, ...]) -> None:
        """Look at a row of a split."""
        if self._asked:
            asked = "\0".join([str(cell) for cell in row[: self._asked]])
            digest = blake2b(asked.encode(), digest_size=8).digest()
            self._draws.setdefault(split, array("Q")).append(int.from_bytes(digest, "big"))
        if split == "train" and self._answer is not None:
            self._count(row[self._answer])

    def told(self, names: Sequence[str]) -> Iterator[str]:
        """What is to be said of them all.

        >>> from regard.data.schema import Column
        >>> seen = Seen(Schema("tag", (Column("text"), Column("tag", kind=ColumnKind.LABEL))))
        >>> for split, text in [("train", "so"), ("train", "so so"), ("test", "so")]:
        ...     seen.add(split, (text, "good"))
        >>> list(seen.told(["text", "tag"]))
        ['tag: good 2', '1 of 1 test examples are in the training part too']
        """
        if self._labels:
            yield f"{names[self._answer or 0]}: {self._counts()}"
        if self._range[2]:
            low, high, count = self._range
            yield f"{names[self._answer or 0]}: from {low:g} to {high:g}"
        for split, draws in self._draws.items():
            yield from self._twice(split, np.asarray(draws, dtype=np.uint64))

    def _count(self, cell: Cell) -> None:
        if isinstance(cell, float):
            low, high, count = self._range
            self._range = [min(low, cell), max(high, cell), count + 1]
        elif self._kind is ColumnKind.LIST:
            self._labels.update(str(cell).split("\t") if cell else ["(none)"])
        else:
            self._labels[str(cell)] += 1

    def _counts(self) -> str:
        most = self._labels.most_common(SHOWN)
        if len(self._labels) <= SHOWN:
            most.sort(key=lambda each: natural(each[0]))
        said = ", ".join(f"{one_line(label, LABEL_SHOWN)} {count:,}" for label, count in most)
        rest = len(self._labels) - len(most)
        return f"{len(self._labels):,} labels, such as {said}" if rest else said

    def _twice(self, split: str, draws: np.ndarray) -> Iterator[str]:
        train = np.asarray(self._draws["train"], dtype=np.uint64)
        if split == "test" and "valid" in self._draws:
            train = np.append(train, np.asarray(self._draws["valid"], dtype=np.uint64))
        if split == "train":
            again = len(train) - len(np.unique(train))
            if again > REPEATED * len(train):
                yield f"{again:,} of {len(train):,} training examples repeat the text of another"
            return
        both = int(np.isin(draws, train).sum())
        if both:
            yield f"{both:,} of {len(draws):,} {split} examples are in the training part too"
