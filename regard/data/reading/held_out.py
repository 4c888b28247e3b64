"""A part of the data held out for validation, where none is given."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from regard.data.reading.rows import Rows

MOST, SHARE = 1000, 0.05
"""Examples, and the share of all, that are held out at most."""
STREAMED_SHARE = 0.01
TEXT_SHARE = 0.1
"""Of a running text, at its end, as is usual for language models of characters."""


@dataclass(frozen=True)
class Drawn:
    """The rows whose first column hashes below a limit, or all the others.

    So whatever was written twice stands on one side, and no seed and no order moves a row. Of a
    story the first sentence alone counts: what is asked later in it stands on the same side.
    """

    rows: Rows
    task: str
    below: int
    keep: bool

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        for row in self.rows.read(notes):
            if (_draw(row, self.task) < self.below) == self.keep:
                yield row


@dataclass(frozen=True)
class Span:
    """The characters of a running text from `start` up to `stop`."""

    rows: Rows
    start: int
    stop: int

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        begin = 0
        for (text,) in self.rows.read(notes):
            inside = text[max(0, self.start - begin) : max(0, self.stop - begin)]
            begin += len(text)
            if inside:
                yield (inside,)
            if begin >= self.stop:
                return


def held_out(rows: Rows, task: str, streaming: bool) -> tuple[Rows, Rows, str]:
    """Rows to train on, rows to validate on, and what is to be said about it.

    Raises `ValueError` when there is too little to divide.
    """
    where = ", ".join(str(path) for path in rows.files[:2]) or "the data"
    if task == "language_model":
        if streaming:
            raise ValueError(f"{where}: a streamed text needs a file of its own to validate on")
        total = sum(len(text) for (text,) in rows.read(Counter()))
        cut = int(total * (1 - TEXT_SHARE))
        if not 0 < cut < total:
            raise ValueError(f"{where}: {total} characters are too few to train on and validate")
        note = f"the last {TEXT_SHARE:.0%} of the text is held out for validation"
        return Span(rows, 0, cut), Span(rows, cut, total), note
    below, share = (
        (int(STREAMED_SHARE * 2**64), STREAMED_SHARE) if streaming else _limit(rows, task, where)
    )
    by = "the hash of how the story begins" if task == "answer" else "their hash"
    note = f"about {share:.1%} of the training examples are held out for validation, by {by}"
    return Drawn(rows, task, below, False), Drawn(rows, task, below, True), note


def _limit(rows: Rows, task: str, where: str) -> tuple[int, float]:
    count, least, most = 0, 2**64, -1
    for row in rows.read(Counter()):
        draw = _draw(row, task)
        count, least, most = count + 1, min(least, draw), max(most, draw)
    if least >= most:
        raise ValueError(
            f"{where}: {count:,} usable example{'s' * (count != 1)}{', all alike' * (count > 1)}, "
            "and at least 2 different ones are needed, to train on and to validate"
        )
    share = min(SHARE, MOST / count)
    # One at least is held out, and one at least is not.
    return min(max(int(share * 2**64), least + 1), most), share


def _draw(row: tuple[str, ...], task: str) -> int:
    text = row[0].partition("\n")[0] if task == "answer" else row[0]
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
