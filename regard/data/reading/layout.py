"""What a path holds: which files are which part of the data, and how their rows are read."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from regard.data.reading.babi import is_babi
from regard.data.reading.baskets import basket_table, with_users
from regard.data.reading.caption_folders import (
    caption_tables,
    may_have_captions,
    pictures_beside,
    stem_column,
    with_pictures,
)
from regard.data.reading.coco import caption_documents
from regard.data.reading.compression import inner_name, is_packed
from regard.data.reading.flickr import flickr
from regard.data.reading.folders import Files, files_in, left_out
from regard.data.reading.formats import open_table
from regard.data.reading.histories_file import history_table
from regard.data.reading.json_parts import json_parts, names_parts
from regard.data.reading.json_tables import json_document
from regard.data.reading.label_folders import label_folders, text_files_of_labels
from regard.data.reading.line_forms import SAMPLED as LINES
from regard.data.reading.line_forms import line_form
from regard.data.reading.lines import lines
from regard.data.reading.mask_folders import mask_folders
from regard.data.reading.not_read import not_read_folder
from regard.data.reading.numbers_written import number_in
from regard.data.reading.parallel_folders import parallel_folders
from regard.data.reading.parquet_tables import saved_dataset
from regard.data.reading.paths import not_there, require_file
from regard.data.reading.picture_folders import are_labelled, picture_folders
from regard.data.reading.pictures import PICTURE_ENDINGS
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.roles import SeveralReadingsError
from regard.data.reading.rows import Joined, RowSource, Running
from regard.data.reading.side_by_side import paired, side_by_side
from regard.data.reading.story_files import require_numbered, story_parts, with_parts
from regard.data.reading.tabled import tabled
from regard.data.reading.tables import ENDINGS, JoinedTables, Table
from regard.data.reading.text_encoding import check_encoding
from regard.data.schema import Schema

_SAMPLED = 200
_BINARY = (".parquet", ".arrow", ".xlsx", ".pdf", *PICTURE_ENDINGS)
SAVED = ("state.json", "dataset_info.json")
"""Files that `datasets` leaves in a folder that it saved."""


def find_layout(paths: Sequence[Path], request: DataRequest) -> Layout:
    """Look at files or a folder and say how they are read; several files are one behind the other.

    Raises `FileNotFoundError` with the nearest names when there is no such path, and `ValueError`
    when it is empty or can be read in several ways.
    """
    check_encoding(request.encoding)
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(not_there(path))
        require_file(path)
    if len(paths) > 1:
        pairs = paired(list(paths))
        if pairs:
            return side_by_side(pairs, paths[0].parent, request)
        folders = [path for path in paths if path.is_dir()]
        if folders:
            raise ValueError(
                f"{folders[0]} is a folder, and several paths are read together only where all are "
                "files; name the folder alone, or its files"
            )
        return _files({"train": tuple(paths)}, request)
    (path,) = paths
    return _folder(path, request) if path.is_dir() else _file(path, request)


def _file(path: Path, request: DataRequest) -> Layout:
    stories = request.first(lambda schema: schema.babi)
    if stories and not is_packed(path) and is_babi(path):
        return _stories(stories, with_parts(path), request)
    layout = _files({"train": (path,)}, request)
    pictures = pictures_beside(path, layout)
    return with_pictures(pictures, layout) if pictures else layout


def _folder(path: Path, request: DataRequest) -> Layout:
    saved = _saved(path, request)
    if saved:
        return saved
    as_text = request.task is not None and request.first(lambda schema: schema.running_text)
    masked = None if as_text else mask_folders(path, request)
    refused = None if as_text or masked else not_read_folder(path)
    if refused:
        raise ValueError(refused)
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    if as_text:
        files = [p for p in files if p.suffix.lower() != ".ann"]
    pairs = paired(files)
    if pairs:
        return side_by_side(pairs, path, request)
    stories = request.first(lambda schema: schema.babi)
    if stories and not any(p.suffix.lower() in ENDINGS for p in files):
        told = [p for p in files if p.suffix.lower() == ".txt" and is_babi(p)]
        if told:
            return _stories(stories, told, request)
    captions = _captions(path, files, request)
    if captions:
        return with_pictures(path, captions)
    parallel = parallel_folders(path, request)
    if parallel:
        return parallel
    labelled = text_files_of_labels(path, files, request) or label_folders(path, request)
    labelled = labelled or masked or picture_folders(path, request)
    if labelled:
        return labelled
    found = files_in(path, files)
    layout, left = _files(found, request), left_out(found)
    if not left:
        return layout
    said = f"files beside these that are not read: {', '.join(left[:10])}"
    return replace(layout, notes=(*layout.notes, said))


def _captions(path: Path, files: Sequence[Path], request: DataRequest) -> Layout | None:
    """The table beside pictures that says what is on them, None where there is none."""
    if not may_have_captions(path, request):
        return None
    tables, documents = caption_tables(files), caption_documents(path)
    if not tables and not documents:
        return None
    try:
        found = _files(documents, request) if documents else _beside(path, tables, request)
    except ValueError as error:
        alone = not are_labelled(path)
        asked = alone and isinstance(error, SeveralReadingsError)
        asked = asked or (alone and any(file.suffix.lower() in ENDINGS for file in tables))
        named = _image_column(path, tables, request) if alone and not documents else None
        if named:
            return _captions(path, files, replace(request, asked=(*request.asked, named)))
        if request.task is None and not asked and not documents:
            return None  # Some other file, beside pictures that are in folders of their labels.
        raise
    of_labels = found.schema.picture_folders and not are_labelled(path)
    return found if found.schema.caption_folders or of_labels else None


def _image_column(
    path: Path, tables: Sequence[Path], request: DataRequest
) -> tuple[str, str] | None:
    """The column of a table that names pictures of a folder without their endings, if one does."""
    found = [file for file in tables if file.suffix.lower() in ENDINGS]
    if len(found) != 1 or any(option == "image" for option, _ in request.asked):
        return None
    table = _table(found[0], _encoding(found[0], request), request)
    column = stem_column(path, table) if table else None
    return ("image", column) if column else None


def _beside(path: Path, tables: Sequence[Path], request: DataRequest) -> Layout:
    """The tables beside pictures, those of Flickr divided by its lists."""
    encoding = request.encoding_of(tables[0])
    lists = flickr(tables, encoding)
    if lists is None:
        return _files(files_in(path, tables), request)
    return tabled(lists[1], str(lists[0]), request, encoding)


def _files(files: Files, request: DataRequest) -> Layout:
    """The files of each split: tables, or text."""
    for path in (path for some in files.values() for path in some):
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty")
    first = files["train"][0]
    encoding = _encoding(first, request)
    document = None
    if [*files.values()] == [(first,)] and names_parts(first, encoding):
        document = json_document(first, encoding)
        if parts := json_parts(first, document):
            return _with_notes(tabled(parts, str(first), request, encoding), files, request)
    table = _table(first, encoding, request, document)
    if table is None:
        return _text(files, request)
    tables = {split: _joined(some, table, first, request) for split, some in files.items()}
    layout = tabled(tables, str(first), request, encoding)
    layout = replace(layout, notes=(*_joined_notes(files["train"]), *layout.notes))
    return _with_notes(layout, files, request)


def _with_notes(layout: Layout, files: Files, request: DataRequest) -> Layout:
    """The same with what is to be said of the files' encodings."""
    notes = _encoding_notes(files, request)
    return replace(layout, notes=(*notes, *layout.notes)) if notes else layout


def _encoding(path: Path, request: DataRequest) -> str:
    return "utf-8" if path.suffix.lower() in _BINARY else request.encoding_of(path)


def _encoding_notes(files: Files, request: DataRequest) -> tuple[str, ...]:
    every = [path for some in files.values() for path in some]
    return request.encoding_notes(p for p in every if p.suffix.lower() not in _BINARY)


def _table(path: Path, encoding: str, request: DataRequest, document: Any = None) -> Table | None:
    asked = [name for _, text in request.asked for name in (text, *text.split(","))]
    running = request.first(lambda schema: schema.running_text)
    as_text = bool(running and request.task)
    lists = request.first(lambda schema: bool(schema.item_file))
    if lists and not as_text:
        history = history_table(path, encoding) or basket_table(path, encoding, bool(request.task))
        if history:
            return history
    table = open_table(path, encoding, request.lexicon, asked, as_text, document)
    if table is not None and not table.names:
        raise ValueError(f"{path} has no column in any row")
    if table is None or lists is None or as_text:
        return table
    return with_users(table, lists.column(lists.item_file))


def _joined(some: Sequence[Path], table: Table, first: Path, request: DataRequest) -> Table:
    """The tables of a split's files, one behind the other."""
    found = []
    for path in some:
        each = table if path == first else _table(path, _encoding(path, request), request)
        if each is None:
            raise ValueError(f"{path} is plain text, and {first} beside it is a table")
        found.append(each)
    return found[0] if len(found) == 1 else JoinedTables(tuple(found))


def _are_numbers(path: Path, encoding: str) -> bool:
    filled = [line for line in islice(lines(path, encoding), _SAMPLED) if line.strip()]
    return len(filled) > 1 and all(number_in(line) is not None for line in filled)


def _joined_notes(files: Sequence[Path]) -> tuple[str, ...]:
    if len(files) < 2:
        return ()
    names = ", ".join(path.name for path in files[:4])
    return (f"{len(files)} files are read one behind the other: {names}",)


def _saved(path: Path, request: DataRequest) -> Layout | None:
    """A folder of `save_to_disk`: a data set, or one for each split."""
    if all((path / name).is_file() for name in SAVED):
        return tabled({"train": saved_dataset(path)}, str(path), request)
    if not (path / "dataset_dict.json").is_file():
        return None
    parts = {p.name: p for p in sorted(path.iterdir()) if (p / SAVED[0]).is_file()}
    files = files_in(path, list(parts.values()))
    tables = {split: saved_dataset(folders[0]) for split, folders in files.items()}
    layout = tabled(tables, str(path), request)
    left = [name for name, part in parts.items() if (part,) not in files.values()]
    said = (f"parts that are not read: {', '.join(left)}",) * bool(left)
    return replace(layout, notes=(*layout.notes, *said))


def _stories(schema: Schema, files: list[Path], request: DataRequest) -> Layout:
    splits, notes = story_parts(files, request.encoding_of)
    notes = (*request.encoding_notes(files), *notes)
    names = tuple(column.name for column in schema.columns)
    return Layout(schema, names, splits, notes, (), request.encoding_of(files[0]))


def _text(files: Files, request: DataRequest) -> Layout:
    running = request.first(lambda schema: schema.running_text)
    if running:
        first = files["train"][0]
        encoding = request.encoding_of(first)
        if request.task is None and _are_numbers(first, encoding):
            raise ValueError(
                f"{first} holds a number on each line, and no text to learn; to learn "
                f"its digits as text, say --task {running.task}"
            )
        what = "" if request.task else line_form([*islice(lines(first, encoding), LINES)])
        if what:
            raise ValueError(f"{first} {what}; as it stands, --task {running.task} learns it")
        splits: dict[str, RowSource] = {}
        for split, some in files.items():
            parts = tuple(Running(path, request.encoding) for path in some)
            splits[split] = parts[0] if len(parts) == 1 else Joined(parts)
        notes = (*_encoding_notes(files, request), *_joined_notes(files["train"]))
        return Layout(running, (running.columns[0].name,), splits, notes, (), encoding)
    stories = request.first(lambda schema: schema.babi)
    if stories:
        paths = [path for some in files.values() for path in some]
        for path in paths:
            require_numbered(path, request.encoding_of(path))
        return _stories(stories, paths, request)
    first = files["train"][0]
    raise ValueError(
        f"{first} is plain text ({inner_name(first)}), in which there is nothing to "
        f"{' or '.join(schema.task for schema in request.candidates)}; examples come as "
        f"{', '.join(ENDINGS[:2])}, .jsonl, .parquet, or as files side by side in a folder "
        "(train.en and train.de, reviews.pos and reviews.neg)"
    )
