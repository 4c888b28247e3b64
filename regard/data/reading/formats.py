"""What a file is, by what is in it: one of the tables that are read, plain text, or refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard.data.reading.coco import coco_captions
from regard.data.reading.compression import inner_suffix, open_plain, zip_file
from regard.data.reading.excel import excel
from regard.data.reading.json_tables import json_document, json_table
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.lines import HEAD, beginning, is_wide
from regard.data.reading.markup import translation_memory
from regard.data.reading.not_read import (
    NotReadError,
    is_binary,
    not_read,
    not_read_json,
    not_read_text,
)
from regard.data.reading.object_cells import with_objects
from regard.data.reading.one_line import one_line
from regard.data.reading.parquet_tables import parquet
from regard.data.reading.printed_tables import printed_table
from regard.data.reading.separated import separated
from regard.data.reading.squad import flat_answers, squad
from regard.data.reading.tables import ENDINGS, PlacedRow, Table
from regard.data.reading.tagged_lines import (
    captioned,
    conll,
    fasttext,
    numbered,
    slashed,
    trec,
)
from regard.data.reading.word_rows import by_sentence

_JSON = (".json", ".jsonl", ".ndjson")
_MARKUP = (".tmx", ".xlf", ".xliff")


def open_table(
    path: Path,
    encoding: str,
    lexicon: Lexicon,
    asked: Sequence[str] = (),
    as_text: bool = False,
    document: Any = None,
) -> Table | None:
    """The table in a file, None where it is plain text.

    Args:
        asked: names of columns that the caller gave.
        as_text: the caller wants running text: what is no table by its ending is that.
        document: what a JSON file holds, where it was read already.

    Raises `ValueError` for a format that is recognized and not read.
    """
    with open_plain(path) as file:
        raw = file.read(HEAD)
    if not raw:
        raise ValueError(f"{path} is empty")
    suffix = inner_suffix(path)
    if raw.startswith(b"PAR1") or suffix == ".parquet":
        return _with_answers(parquet(path))
    if raw.startswith(b"PK\x03\x04") and (suffix == ".xlsx" or _is_workbook(path)):
        return _with_answers(excel(path, lexicon, asked))
    refused = not_read(path, raw) or (None if is_wide(encoding) else is_binary(path, raw))
    if refused:
        raise ValueError(refused)
    if as_text and suffix not in ENDINGS:
        return None
    head = beginning(path, encoding)
    if suffix in _MARKUP or head.lstrip()[:200].lower().startswith(("<tmx", "<xliff", "<?xml")):
        return translation_memory(path)
    if suffix in _JSON or _begins_json(head):
        found = _json(path, encoding, head, suffix, document)
        if found or not (refused := not_read_text(path, head)):
            return found
        raise ValueError(refused)
    refused = not_read_text(path, head)
    if refused:
        raise ValueError(refused)
    for make in (
        (one_line, printed_table, fasttext, trec, captioned, conll, slashed, numbered)
        if suffix not in (".csv", ".inter")
        else ()
    ):
        table = make(path, encoding)
        if table:
            return table
    divided = separated(path, encoding, lexicon, asked)
    if divided is None:
        return None
    return _with_answers(divided if asked else by_sentence(divided))


def _json(path: Path, encoding: str, head: str, suffix: str, document: Any) -> Table | None:
    lines = suffix in (".jsonl", ".ndjson")
    if not lines and ('"paragraphs"' in head or '"data"' in head):
        document = document or json_document(path, encoding)
        table = coco_captions(path, document)
        refused = None if table else not_read_json(path, document)
        if refused:
            raise NotReadError(refused)
        table = table or squad(path, document)
        if table:
            return table
    try:
        return _with_answers(json_table(path, encoding, document))
    except ValueError as error:
        if suffix in _JSON or isinstance(error, NotReadError) or _are_objects(head):
            raise
    return None  # Plain text that begins with a bracket.


def _are_objects(head: str) -> bool:
    """Whether most of the first lines are an object each, as JSON or Python spells them."""
    whole = [line.strip() for line in head.split("\n")[:-1] if line.strip()]
    objects = sum(line.startswith(("{'", '{"')) and line[-1] in "}," for line in whole)
    return len(whole) > 1 and objects * 2 > len(whole)


def _begins_json(head: str) -> bool:
    start = "".join(head.split())[:3]
    return start.startswith(('{"', "{'", '[{"', "[{'", "[[", '["')) or start in ("[{", "{}")


def _is_workbook(path: Path) -> bool:
    try:
        with zip_file(path) as archive:
            return "[Content_Types].xml" in archive.namelist() and any(
                name.startswith("xl/") for name in archive.namelist()
            )
    except ValueError:
        return False


@dataclass(frozen=True)
class _Answered:
    """SQuAD as the hub has it: its lists of answers as the columns of `squad`."""

    table: Table
    names: tuple[str, ...]

    @property
    def path(self) -> Path | None:
        return self.table.path

    @property
    def said(self) -> tuple[str, ...]:
        return self.table.said

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for where, cells in self.table.rows(self.table.names):
            flat = self.opened(dict(zip(self.table.names, cells, strict=True)), where)
            yield where, tuple(flat.get(name) for name in names)

    def opened(self, values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """The same with its answers as the columns of `squad`."""
        return flat_answers(values)


def _with_answers(table: Table) -> Table:
    table = with_objects(table)
    flat = "answers.text" in table.names or "answers.answer_start" in table.names
    if not flat:
        return table
    kept = [name for name in table.names if not name.startswith("answers.")]
    return _Answered(table, (*kept, "answer", "start", "answers"))


def first_rows(table: Table, names: Sequence[str], count: int) -> list[tuple[Any, ...]]:
    """The first rows of these columns."""
    return [cells for _, cells in islice(table.rows(names), count)]
