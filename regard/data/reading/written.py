"""The rows of a part, parsed and written once, and then divided by numbers that stand for them."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from regard.data.reading.arrow import ArrowWriter, SplitSize, batch_of, batches, gathered
from regard.data.reading.held_out import draws_of, hashes
from regard.data.reading.pictures import PictureCell
from regard.data.reading.rows import RowSource
from regard.data.reading.seen import asked_columns
from regard.data.schema import ByHash, Cell, Column, ColumnKind, Schema

Row = tuple[Cell, ...]

_BINARY = (ColumnKind.BYTES, ColumnKind.IMAGE)


@dataclass
class LabelNumbers:
    """The labels of all parts, numbered as they come."""

    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, labels: Iterable[str]) -> list[int]:
        """The number of each."""
        numbers = self.numbers
        return [numbers.setdefault(label, len(numbers)) for label in labels]


@dataclass(frozen=True)
class Written:
    """The rows of a part in a file, and what is known of each.

    Args:
        path: of the file.
        size: of it.
        draws: what decides on which side a row stands, where rows are to be divided (see
            `draws_of`).
        asked: a number for what a row asks, alike where the same is asked.
        labels: the number of its label, where there are any.
    """

    path: Path
    size: SplitSize
    draws: np.ndarray
    asked: np.ndarray
    labels: np.ndarray


def written(
    rows: RowSource,
    path: Path,
    schema: Schema,
    columns: Sequence[Column],
    divided: bool,
    known: LabelNumbers,
    notes: Counter[str],
) -> Written:
    """Write every row as it is parsed.

    Args:
        columns: those of the task's that are there.
        divided: a part of the rows will be held out.
        known: numbers of labels, to which those of these rows are added.
        notes: counts what was left out or mended.
    """
    draws, asked, labels = array("Q"), array("Q"), array("i")
    first_line = isinstance(schema.hold_out, ByHash) and schema.hold_out.first_line
    count, place = asked_columns(schema), schema.label
    # One text that is asked draws by itself.
    alike = divided and count == 1 and not first_line and columns[0].kind not in _BINARY
    with ArrowWriter(path, columns) as writer:
        for some in gathered(rows.read(notes)):
            writer.write(some)
            if divided:
                draws.frombytes(draws_of(some, first_line).tobytes())
            if count and not alike:
                asked.frombytes(_asked(some, count).tobytes())
            if place is not None:
                labels.extend(known.of(str(row[place]) for row in some))
    found = np.asarray(draws, dtype=np.uint64)
    every = found if alike else np.asarray(asked, dtype=np.uint64)
    return Written(path, writer.size, found, every, np.asarray(labels, dtype=np.int32))


def divided(
    part: Written, held: np.ndarray, path: Path, columns: Sequence[Column]
) -> tuple[Written, Written]:
    """The rows that are not held out, in the file that they were in, and those that are, in `path`.

    Args:
        held: whether a row is held out, for each.
    """
    rest, begin = part.path.with_suffix(".part"), 0
    with ArrowWriter(rest, columns) as left, ArrowWriter(path, columns) as out:
        for batch in batches(part.path):
            some = held[begin : begin + batch.num_rows]
            begin += batch.num_rows
            if some.any():
                out.write_batch(_taken(batch, some))
                batch = _taken(batch, ~some)
            left.write_batch(batch)
    both = _numbers_of(part, part.path, left.size, ~held), _numbers_of(part, path, out.size, held)
    rest.replace(part.path)
    return both


def ended(
    part: Written, share: float, path: Path, columns: Sequence[Column], where: str
) -> tuple[Written, Written]:
    """A running text without its end, in the file that it was in, and the end, in `path`.

    Raises `ValueError` when there is too little to divide.
    """
    total = sum(len(str(text)) for text in column_of(part, 0))
    cut, begin = int(total * (1 - share)), 0
    if not 0 < cut < total:
        raise ValueError(f"{where}: {total} characters are too few to train on and validate")
    rest = part.path.with_suffix(".part")
    with ArrowWriter(rest, columns) as left, ArrowWriter(path, columns) as out:
        for some in gathered((text,) for text in column_of(part, 0)):
            before, behind = list[Row](), list[Row]()
            for (text,) in some:
                place = max(0, cut - begin)
                begin += len(str(text))
                before += [(str(text)[:place],)] if place else []
                behind += [(str(text)[place:],)] if str(text)[place:] else []
            for rows, writer in ((before, left), (behind, out)):
                if rows:
                    writer.write(rows)
    both = replace(part, size=left.size), replace(part, path=path, size=out.size)
    rest.replace(part.path)
    return both


def respelled(
    part: Written, columns: Sequence[Column], place: int, labels: Sequence[str]
) -> Written:
    """The same with other labels in column `place`.

    Args:
        labels: what each number of a label stands for.
    """
    new, begin = part.path.with_suffix(".part"), 0
    with ArrowWriter(new, columns) as writer:
        for batch in batches(part.path):
            numbers = part.labels[begin : begin + batch.num_rows].tolist()
            begin += batch.num_rows
            cells = [column.to_pylist() for column in batch.columns]
            cells[place] = [labels[number] for number in numbers]
            writer.write_batch(batch_of(cells, batch.schema))
    found = replace(part, size=writer.size)
    new.replace(part.path)
    return found


def column_of(part: Written, place: int) -> Iterator[Cell]:
    """The cells of a column."""
    for batch in batches(part.path):
        yield from batch.column(place).to_pylist()


def label_counts(part: Written, labels: Sequence[str]) -> dict[str, int]:
    """How many rows have each label, in the order in which labels come.

    Args:
        labels: what each number of a label stands for.
    """
    counts = np.bincount(part.labels, minlength=len(labels))
    first = np.full(len(labels), len(part.labels))
    first[part.labels[::-1]] = np.arange(len(part.labels))[::-1]
    found = Counter[str]()
    for number in np.argsort(first, kind="stable").tolist():
        if counts[number]:
            found[labels[number]] += int(counts[number])
    return found


def _asked(rows: Sequence[Row], count: int) -> np.ndarray:
    return hashes(b"\0".join([_as_bytes(cell) for cell in row[:count]]) for row in rows)


def _as_bytes(cell: Cell) -> bytes:
    if isinstance(cell, PictureCell):
        return cell.content
    return cell if isinstance(cell, bytes) else str(cell).encode()


def _taken(batch: Any, which: np.ndarray) -> Any:
    """Some rows of a batch; of their lists, because Arrow would load its functions for it."""
    cells = [list(compress(column.to_pylist(), which.tolist())) for column in batch.columns]
    return batch_of(cells, batch.schema)


def _numbers_of(part: Written, path: Path, size: SplitSize, which: np.ndarray) -> Written:
    asked, labels = (
        numbers[which] if len(numbers) else numbers for numbers in (part.asked, part.labels)
    )
    return Written(path, size, part.draws[:0], asked, labels)
