"""From a user's path to a corpus."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

from regard._io.extra import extra
from regard._printable import message
from regard.data.reading.corpus import Corpus, Read, describe_corpus, fingerprint
from regard.data.reading.generated import MADE, generated_layout, is_synthetic
from regard.data.reading.hub import HUB, hub_layout
from regard.data.reading.layout import find_layout
from regard.data.reading.paths import files_of, once
from regard.data.reading.peek import first_rows_of
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.rows import RowSource
from regard.data.reading.store import stored_corpus, streamed
from regard.data.reading.unreadable import readable
from regard.data.schema import Cell


def read(
    path: str,
    request: DataRequest,
    *,
    cache: Path | None = None,
    streaming: bool = False,
    peek: bool = False,
) -> Corpus:
    r"""Read a file, a folder, `hf:owner/name[:config]` from the Hub or `synthetic:NAME`.

    Whatever the request leaves open is inferred: the task, among the known ones, from file names
    and columns; the translation direction (columns in order; of files English first, else
    alphabetically). Without a validation file, a part is held out.

    The rows go into Arrow files in `cache`, where the next call finds them if the files are
    unchanged; without `cache` they are deleted with the corpus. With `streaming` nothing is stored.
    With `peek`, only the first rows of large data are read.

    Raises `ValueError` with file and line for anything that cannot be read or is ambiguous,
    `FileNotFoundError` with the nearest names, `ImportError` without the extra.

    >>> from regard.data.schema import Column, Schema
    >>> tag = Schema("tag", (Column("words", ("tokens",)), Column("tags")))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tagged.tsv"
    ...     _ = path.write_text("tokens\ttags\nIt rains\tPRON VERB\nRain falls\tNOUN VERB\n")
    ...     corpus = read(str(path), DataRequest((tag,)))
    >>> corpus.task, corpus.names, len(corpus.splits["train"])
    ('tag', ('tokens', 'tags'), 1)
    """
    with _told(path):
        found = replace(
            _found(path, request, cache, streaming),
            merged=request.merged,
            by_label=request.by_label,
            known=request.known,
        )
        found = readable(found, request.readable)
        return _read(path, found, request, cache, streaming, peek)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Make every message of a reader one that can be printed, whatever stands in the data."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        said = message(str(error))
        if said == str(error):
            raise
        raise (FileNotFoundError if isinstance(error, OSError) else ValueError)(said) from None
    except OSError as error:
        if error.errno is not None:
            raise
        # What Arrow says of a damaged file is no error of the system, and more than one line.
        raise ValueError(message(f"{path} cannot be read: {error}")) from None


def _found(path: str, request: DataRequest, cache: Path | None, streaming: bool) -> Layout:
    """What a path holds."""
    if path.startswith(HUB):
        return hub_layout(path, request, cache, streaming)
    if is_synthetic(path):
        return generated_layout(path, request)
    files, said = once(files_of(path))
    layout = find_layout(files, request)
    return replace(layout, notes=(*said, *layout.notes)) if said else layout


def _read(
    path: str,
    found: Layout,
    request: DataRequest,
    cache: Path | None,
    streaming: bool,
    peek: bool,
) -> Corpus:
    """The rows of what was found."""
    encoding = request.encoding
    if peek and (larger := first_rows_of(found)):
        return _kept_for_now(larger, "", (), encoding)
    files = tuple(
        Read.of(p) for p in dict.fromkeys(p for r in found.splits.values() for p in r.files)
    )
    digest = fingerprint(files) if files else _digest(path, found, streaming)
    if streaming:
        return _streamed(found, request, files, digest)
    if cache:
        return stored_corpus(found, cache, digest, files, encoding)
    return _kept_for_now(found, digest, files, encoding)


def _kept_for_now(found: Layout, digest: str, files: tuple[Read, ...], encoding: str) -> Corpus:
    """The corpus in a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="regard-"))
    try:
        corpus = stored_corpus(found, folder, digest, files, encoding)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # The splits may outlive the corpus, and open their files when they are asked for.
    weakref.finalize(corpus.splits, shutil.rmtree, folder, ignore_errors=True)
    return corpus


def _streamed(found: Layout, request: DataRequest, files: tuple[Read, ...], digest: str) -> Corpus:
    if not found.schema.streams:
        able = ", ".join(schema.task for schema in request.schemas if schema.streams)
        raise ValueError(
            f"streaming is for {able or 'none of the tasks'}; {found.schema.task} is read whole"
        )
    found, labels = streamed(found)
    package = extra("datasets")
    columns = tuple(column.name for column in found.schema.columns[: len(found.names)])
    splits = {
        split: package.IterableDataset.from_generator(
            _rows, gen_kwargs={"rows": rows, "columns": columns}
        )
        for split, rows in found.splits.items()
    }
    examples = list(islice(found.splits["train"].read(Counter()), 3))
    notes = list(found.notes)
    if found.readable:
        notes.append("rows whose picture cannot be read are left out as they come")
    told = describe_corpus(found.schema, found.names, ["streamed"], notes, examples, found.absent)
    return Corpus(
        found.schema,
        splits,
        found.names,
        told,
        digest,
        labels,
        files,
        found.columns,
        found.encoding,
    )


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
