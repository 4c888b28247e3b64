"""Rows kept in an Arrow file, which is read through memory and may be larger than it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard._io.extra import extra

ROWS, CHARACTERS = 1000, 4 * 2**20
"""What is gathered at most before it is written."""


@dataclass(frozen=True)
class Written:
    """What a file holds."""

    rows: int
    characters: int
    bytes: int


def write(path: Path, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Written:
    """Write rows of text as they come."""
    arrow = extra("pyarrow")
    schema = arrow.schema([(column, arrow.string()) for column in columns])
    count = characters = held = 0
    gathered: list[tuple[str, ...]] = []
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_stream(file, schema) as stream:

        def flush() -> None:
            texts = [list(column) for column in zip(*gathered, strict=True)]
            arrays = [arrow.array(column, arrow.string()) for column in texts]
            if gathered:
                stream.write_batch(arrow.record_batch(arrays, schema=schema))
            gathered.clear()

        for row in rows:
            gathered.append(row)
            count, held = count + 1, held + sum(map(len, row))
            if len(gathered) >= ROWS or held >= CHARACTERS:
                flush()
                characters, held = characters + held, 0
        flush()
    return Written(count, characters + held, path.stat().st_size)


def opened(path: Path) -> Any:
    """The `datasets.Dataset` in such a file, memory-mapped."""
    return extra("datasets").Dataset.from_file(str(path))
