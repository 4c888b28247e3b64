"""From a path that a user names to a corpus."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus, Read, describe_corpus, fingerprint
from regard.data.reading.generated import MADE, generated_layout, is_synthetic
from regard.data.reading.hub import HUB, hub_layout
from regard.data.reading.layout import find_layout
from regard.data.reading.natural import natural
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.rows import RowSource
from regard.data.reading.store import stored_corpus, watched, with_validation
from regard.data.schema import Cell, Schema


def read(
    path: str,
    schemas: Sequence[Schema],
    task: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    encoding: str = "utf-8",
    cache: Path | None = None,
    streaming: bool = False,
) -> Corpus:
    r"""Read a file, a folder, `hf:owner/name[:config]` of the Hugging Face hub or `synthetic:NAME`.

    What is not said is inferred: the task, among those of `schemas`, from the files' names and
    columns; the direction (of columns as they stand; of files English first, else by the alphabet).
    `source` and `target` are endings of files or names of columns: the two languages, or the text
    and its label. Without a file to validate on, a part is held out.

    The rows go into Arrow files in `cache`, where the next call finds them while the files are the
    same; without `cache` they are gone with the corpus. With `streaming` nothing is stored.

    Raises `ValueError` that names file and line for whatever cannot be read or can be read in
    several ways, `FileNotFoundError` with the nearest names, `ImportError` without the extra.

    >>> from regard.data.schema import Column
    >>> tag = Schema("tag", (Column("words", ("tokens",)), Column("tags")))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tagged.tsv"
    ...     _ = path.write_text("tokens\ttags\nIt rains\tPRON VERB\nRain falls\tNOUN VERB\n")
    ...     corpus = read(str(path), [tag])
    >>> corpus.task, corpus.names, len(corpus.splits["train"])
    ('tag', ('tokens', 'tags'), 1)
    """
    request = DataRequest(tuple(schemas), task, source, target, encoding)
    if path.startswith(HUB):
        found = hub_layout(path, request, cache, streaming)
    elif is_synthetic(path):
        found = generated_layout(path, request)
    else:
        found = find_layout(Path(path), request)
    files = tuple(
        Read.of(p) for p in dict.fromkeys(p for r in found.splits.values() for p in r.files)
    )
    digest = fingerprint(files) if files else _digest(path, found, streaming)
    if streaming:
        return _streamed(found, request, files, digest)
    if cache:
        return stored_corpus(found, cache, digest, files, encoding)
    folder = Path(tempfile.mkdtemp(prefix="regard-"))
    try:
        corpus = stored_corpus(found, folder, digest, files, encoding)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(corpus, shutil.rmtree, folder, ignore_errors=True)
    return corpus


def _streamed(found: Layout, request: DataRequest, files: tuple[Read, ...], digest: str) -> Corpus:
    if not found.schema.streams:
        able = ", ".join(schema.task for schema in request.schemas if schema.streams)
        raise ValueError(
            f"streaming is for {able or 'none of the tasks'}; {found.schema.task} is read whole"
        )
    found = with_validation(found, streaming=True)
    package = extra("datasets")
    columns = tuple(column.name for column in found.schema.columns[: len(found.names)])
    splits = {
        split: package.IterableDataset.from_generator(
            _rows, gen_kwargs={"rows": rows, "columns": columns}
        )
        for split, rows in found.splits.items()
    }
    labels: set[str] = set()
    rows = (("train", row) for row in found.splits["train"].read(Counter()))
    train = (row for _, row in watched(rows, found, labels))
    examples = list(islice(train, 3))
    if found.schema.label is not None:
        for _ in train:
            pass
    told = describe_corpus(found.schema, found.names, ["streamed"], found.notes, examples)
    named = tuple(sorted(labels, key=natural))
    return Corpus(found.schema, splits, found.names, told, digest, named, files)


def _rows(rows: RowSource, columns: tuple[str, ...]) -> Iterator[dict[str, Cell]]:
    for row in rows.read(Counter()):
        yield dict(zip(columns, row, strict=True))


def _digest(path: str, found: Layout, streaming: bool) -> str:
    """The digest of what is not in files: of the content, or when it streams, of the name."""
    if is_synthetic(path):
        # Under the old name, so that a run that was begun with it finds its data unchanged.
        path = MADE + path.partition(":")[2]
    whole = sha256(path.encode())
    for rows in () if streaming else found.splits.values():
        for row in rows.read(Counter()):
            whole.update(b"\0".join(map(_as_bytes, row)) + b"\1")
    return whole.hexdigest()


def _as_bytes(cell: Cell) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()
