"""What is told of rows as they are written: how many of each label, and what stands twice."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from regard.data.reading.corpus import one_line
from regard.data.reading.held_out import among
from regard.data.reading.natural import natural
from regard.data.schema import Cell, ColumnKind, Schema

SHOWN, LABEL_SHOWN = 12, 40
"""Labels that are told with their counts, and characters of one."""
REPEATED = 0.1
"""Share of training examples that stand there before, from which on it is told."""


def asked_columns(schema: Schema) -> int:
    """How many of the first columns are what is asked; 0 where nothing is asked in a row alone."""
    names = any(column.kind is ColumnKind.NAME for column in schema.required)
    return 0 if schema.running_text or names else max(1, len(schema.required) - 1)


class Seen:
    """Looks at the rows of all splits.

    Args:
        schema: of the rows. Its last column that must be there is the answer, those before it are
            what is asked.
    """

    def __init__(self, schema: Schema) -> None:
        answers = (ColumnKind.LABEL, ColumnKind.LIST, ColumnKind.FLOAT)
        place = len(schema.required) - 1
        self._kind = schema.required[place].kind
        self.answer = place if self._kind in answers else None
        self._several = schema.caption_folders  # Pictures have several captions.
        self._labels: Counter[str] = Counter()
        self._range = [math.inf, -math.inf, 0.0]
        self._asked: dict[str, np.ndarray] = {}
        self._contradicting = 0

    def add_asked(self, split: str, asked: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Look at what the rows of a split ask, a number for each, and at the numbers of labels."""
        self._asked[split] = asked
        if split == "train" and labels is not None and len(labels) == len(asked):
            order = np.argsort(asked)
            texts, labels = asked[order], labels[order]
            again = (texts[1:] == texts[:-1]) & (labels[1:] != labels[:-1])
            self._contradicting = int(again.sum())

    def add_answers(self, cells: Iterable[Cell]) -> None:
        """Look at the answers of some rows to train on."""
        for cell in cells:
            self._count(cell)

    def add_labels(self, counts: Mapping[str, int]) -> None:
        """Look at their labels, counted."""
        self._labels.update(counts)

    def told(self, names: Sequence[str]) -> Iterator[str]:
        """What is to be said of them all.

        >>> from regard.data.schema import Column
        >>> seen = Seen(Schema("tag", (Column("text"), Column("tag", kind=ColumnKind.LABEL))))
        >>> seen.add_labels({"good": 2})
        >>> for split, asked in [("train", [3, 5]), ("test", [3])]:
        ...     seen.add_asked(split, np.array(asked))
        >>> list(seen.told(["text", "tag"]))
        ['tag: good 2', '1 of 1 test examples are in the training part too']
        """
        if self._labels:
            yield f"{one_line(names[self.answer or 0])}: {self._counts()}"
        if self._range[2]:
            low, high, count = self._range
            yield f"{one_line(names[self.answer or 0])}: from {low:g} to {high:g}"
        for split, asked in self._asked.items():
            yield from self._twice(split, asked)
        if self._contradicting:
            count = self._contradicting
            yield f"{count:,} training examples have the text of another, and another label"

    @cached_property
    def _train(self) -> np.ndarray:
        """What the training rows ask, sorted."""
        return np.sort(self._asked["train"])

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

    def _twice(self, split: str, asked: np.ndarray) -> Iterator[str]:
        if split == "train":
            again = int((self._train[1:] == self._train[:-1]).sum())
            if again > REPEATED * len(asked) and not self._several:
                yield f"{again:,} of {len(asked):,} training examples repeat the text of another"
            return
        there = among(asked, self._train)
        if split == "test" and "valid" in self._asked:
            there |= among(asked, np.sort(self._asked["valid"]))
        if both := int(there.sum()):
            yield f"{both:,} of {len(asked):,} {split} examples are in the training part too"
