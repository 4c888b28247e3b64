"""Tables as JSON: an object a line, an array of objects, one wrapped in another, or by columns."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.files import read_json
from regard.data.reading.baskets import numbered_baskets
from regard.data.reading.coco import coco_captions
from regard.data.reading.compression import inner_suffix
from regard.data.reading.header import has_header
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.lines import lines, open_text
from regard.data.reading.not_read import NotReadError, not_read_json
from regard.data.reading.tables import Listed, PlacedRow, Table

MAX_DOCUMENT_BYTES = 2**29
"""Bytes of a JSON document that is no object a line, and so is held in memory."""
KEYS_FROM = 200
"""Objects whose keys are the columns of a file."""
DEPTH = 6
"""Objects within objects that are looked into."""


@dataclass(frozen=True)
class JSONLines:
    """One object a line; what is within an object has a name with a point, `doc.text`."""

    path: Path
    encoding: str
    names: tuple[str, ...]
    said: tuple[str, ...] = ()

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for where, entry in _objects(self.path, self.encoding):
            flat = respelled(flattened(entry), self.names)
            yield where, tuple([flat.get(name) for name in names])


def json_table(path: Path, encoding: str, document: Any = None) -> Table:
    """The table in a JSON file; raises `ValueError` that says where it is none.

    Args:
        document: what the file holds, where it was read already.
    """
    named = inner_suffix(path) in (".jsonl", ".ndjson")
    arrays = _first(path, encoding).startswith("[")
    if _is_lines(path, encoding) or (named and not arrays and not goes_on(path, encoding)):
        return JSONLines(path, encoding, *keys_of(o for _, o in _objects(path, encoding)))
    document = document or json_document(path, encoding)
    captions = coco_captions(path, document)
    if captions:
        return captions
    refused = not_read_json(path, document)
    if refused:
        raise NotReadError(refused)
    found = table_in(document)
    if found is None:
        raise NotReadError(f"{path}: {_why_not(document)}")
    place = found.place
    _require_one(path, document, place)
    beside = [name for name in lists_of(document) if name != place]
    without = f", and not those in {', '.join(map(repr, beside))}" if beside else ""
    said = (f"the objects in {place!r}{without}",) if place else ()
    return table_of(path, place, found.make(), said)


def table_of(
    path: Path, place: str, entries: Sequence[Mapping[str, Any]], said: tuple[str, ...] = ()
) -> Table:
    """The table of the objects at a place in a document."""
    where = f"{path} {place}".rstrip()

    def rows(_: Path) -> Iterator[PlacedRow]:
        for number, entry in enumerate(entries, 1):
            flat = respelled(flattened(entry), names)
            yield f"{where} object {number}", tuple([flat.get(name) for name in names])

    names, alike = keys_of(iter(entries))
    return Listed(path, names, rows, (*said, *alike))


def flattened(entry: Mapping[str, Any], depth: int = DEPTH) -> dict[str, Any]:
    """An object with what is within its objects and lists of objects as keys of its own.

    >>> flattened({"doc": {"text": "so"}, "notes": [{"label": "a"}, {"label": "b"}], "n": 1})
    {'doc.text': 'so', 'notes.label': ['a', 'b'], 'n': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        listed = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
        if isinstance(value, dict) and depth > 1 and not _is_picture(value):
            inner = flattened(value, depth - 1)
            flat.update({f"{key}.{name}": deep for name, deep in inner.items()})
        elif listed and depth > 1:
            objects = [flattened(each, depth - 1) for each in value]
            for name in dict.fromkeys(name for each in objects for name in each):
                flat[f"{key}.{name}"] = [each.get(name) for each in objects]
        else:
            flat[key] = value
    return flat


def _is_picture(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("bytes"), bytes)


def respelled(flat: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The same with keys that differ from these names in case and outer spaces called so.

    >>> respelled({"Text ": "so", "n": 1}, ["text", "n"])
    {'n': 1, 'text': 'so'}
    """
    missing = [name for name in names if name not in flat]
    others = {_folded(key): key for key in flat if key not in names} if missing else {}
    for name in missing:
        key = others.get(_folded(name))
        if key is not None:
            flat[name] = flat.pop(key)
    return flat


def _folded(key: str) -> str:
    return key.strip().casefold()


def keys_of(entries: Iterator[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of the first objects, and what is said of those that differ in case alone."""
    every = dict[str, None]()
    apart = set[str]()
    for entry in islice(entries, KEYS_FROM):
        keys = list(flattened(entry))
        every.update(dict.fromkeys(keys))
        spelled = Counter(map(_folded, keys))
        apart.update(key for key, count in spelled.items() if count > 1)
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    for key in every:
        known = first.setdefault(_folded(key), key)
        if known != key and _folded(key) not in apart:
            same[key] = known
    names = tuple(key for key in every if key not in same)
    said = [f"{key!r} is read as {name!r}, spelled otherwise" for key, name in same.items()]
    return names, tuple(said)


def _is_lines(path: Path, encoding: str) -> bool:
    """Whether the first line is an object of its own, broken or not, and so is what follows."""
    head = list(islice((line.strip() for line in lines(path, encoding) if line.strip()), 2))
    return len(head) == 2 and all(
        line[0] == "{" and line[-1] in "}," and line.count("[") <= line.count("]") for line in head
    )


def goes_on(path: Path, encoding: str) -> bool:
    """Whether the first line opens an array, or an object that it does not end."""
    first = _first(path, encoding)
    return first == "[" or first.startswith("[{") or first == "{"


def _first(path: Path, encoding: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in lines(path, encoding) if line.strip()), "")


def read_object(line: str) -> Any:
    """What a line of a file of objects holds; a comma behind it, as in an array, is none of it.

    >>> read_object('{"text": "so"},')
    {'text': 'so'}
    """
    line = line.strip()
    return read_json(line.removesuffix(",") if line.endswith("},") else line)


def _objects(path: Path, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    for number, line in enumerate(lines(path, encoding), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            entry = read_object(line)
        except ValueError as error:
            raise ValueError(f"{where} is not a JSON object: {error}{_python(line)}") from None
        if not isinstance(entry, dict):
            raise ValueError(
                f"{where} is not a JSON object but {type(entry).__name__}; a .jsonl file has one "
                'object a line, such as {"text": "fine", "label": "good"}'
            )
        yield where, entry


def _python(line: str) -> str:
    """What is to be done with a line that Python spelled."""
    spelled = line.lstrip().startswith("{'") or "NaN" in line
    return (
        "; this is how Python spells it: write null for NaN, and double quotes" if spelled else ""
    )


def json_document(path: Path, encoding: str) -> Any:
    """All that a JSON file holds; raises `ValueError` naming line and column."""
    with open_text(path, encoding) as (file, spelled):
        raw = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise ValueError(
            f"{path} has more than {MAX_DOCUMENT_BYTES >> 20} MB, and JSON that is no object a "
            "line is held in memory as a whole; convert it: jq -c '.[]' FILE.json > FILE.jsonl"
        )
    try:
        return read_json(raw.decode(spelled), MAX_DOCUMENT_BYTES)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and (found := _one_after_another(raw.decode(spelled))):
            return found
        raise ValueError(
            f"{path} line {error.lineno} column {error.colno} is not JSON: {error.msg}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None


def _one_after_another(text: str) -> list[Any]:
    """Objects that follow each other over several lines; none where that is not all."""
    decoder, found, place = json.JSONDecoder(), [], 0
    try:
        while (place := _blank(text, place)) < len(text):
            entry, place = decoder.raw_decode(text, place)
            found.append(entry)
    except (ValueError, RecursionError):
        return []
    return found


def _blank(text: str, place: int) -> int:
    """The next place where there is something."""
    while text[place : place + 1].isspace():
        place += 1
    return place


@dataclass(frozen=True)
class Found:
    """A table in a document: where it is, how many rows it has, and what makes them."""

    place: str
    count: int
    make: Callable[[], list[Any]]


def table_in(document: Any, place: str = "") -> Found | None:
    """Where in a document its objects are: the longest list of objects, or columns."""
    if _are_rows(document):
        return _named_rows(document, place)
    if isinstance(document, list):
        objects = document and all(isinstance(each, dict) for each in document)
        found = document if objects else numbered_baskets(document)
        return Found(place, len(document), lambda: found) if found else None
    if not isinstance(document, dict):
        return None
    columns = {k: v for k, v in document.items() if isinstance(v, list)}
    sizes = {len(v) for v in columns.values()}
    plain = not any(isinstance(v, dict) for held in columns.values() for v in held[:1])
    if len(columns) > 1 and len(columns) == len(document) and len(sizes) == 1 and plain:
        return _objects_of(place, list(columns), sizes.pop(), columns.values())
    told = document.get("columns") or document.get("header")
    rows = next((v for k in ("data", "rows") if _are_rows(v := document.get(k))), None)
    if rows and isinstance(told, list) and len(told) == len(rows[0]):
        return Found(place, len(rows), lambda: _named(map(str, told), rows))
    inner = [table_in(v, f"{place}.{k}".lstrip(".")) for k, v in document.items()]
    longest = max(filter(None, inner), key=lambda each: each.count, default=None)
    values = [v for v in document.values() if isinstance(v, dict)]
    same = {tuple(v) for v in values}
    # Objects by their names, of which each may hold a list.
    named = len(values) == len(document) > 1 and len(same) * 2 <= len(values) + 1
    if longest and not (named and len(document) > longest.count):
        return longest
    if len(values) == len(document) > 1:  # objects by their names, or columns by row numbers
        if len(same) == 1 and len(next(iter(same))) > len(document):
            count = len(values[0])
            return _objects_of(place, list(document), count, [v.values() for v in values])
        return Found(place, len(values), lambda: values)
    return None


def _require_one(path: Path, document: Any, place: str) -> None:
    """Raise `NotReadError` for several tables of the same columns, of which one would be read."""
    places = {name: keys for name, keys in _places(document) if keys}
    alike = [name for name, keys in places.items() if keys == places.get(place)]
    if len(alike) > 1:
        raise NotReadError(
            f"{path} holds tables of the same columns at {', '.join(alike[:5])}; join them to one, "
            "with a column that says which of them a row is from"
        )


def _places(document: Any, place: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where lists of objects are in a document, and the keys of their first objects."""
    if isinstance(document, list):
        objects = bool(document) and isinstance(document[0], dict)
        yield place, tuple(sorted(document[0])) if objects else ()
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _places(value, f"{place}.{key}".lstrip("."))


def lists_of(document: Any) -> list[str]:
    """What the tables at the top of a document are called."""
    if not isinstance(document, dict):
        return []
    return [key for key, value in document.items() if isinstance(value, list) and table_in(value)]


def _objects_of(
    place: str, names: Sequence[str], count: int, columns: Iterable[Iterable[Any]]
) -> Found:
    """Columns as objects."""
    return Found(place, count, lambda: _named(names, zip(*columns, strict=True)))


def _named(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    """Rows as objects by these names."""
    keys = list(names)
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _are_rows(document: Any) -> bool:
    """Whether an array is one of rows: arrays of texts and numbers, as many in each."""
    if not isinstance(document, list) or len(document) < 2:
        return False
    if not all(isinstance(row, list) and len(row) > 1 for row in document):
        return False
    plain = all(v is None or isinstance(v, (str, int, float)) for row in document for v in row)
    texts = any(isinstance(v, str) for v in document[-1])
    return plain and texts and len({len(row) for row in document}) == 1


def _named_rows(rows: Sequence[Sequence[Any]], place: str) -> Found:
    """Rows as objects, by the names in the first where it has some, else by their numbers."""
    texts = [["" if v is None else str(v) for v in row] for row in rows[: KEYS_FROM + 1]]
    header = int(has_header(texts[0], texts[1:], Lexicon.of(())))
    names = texts[0] if header else [str(n + 1) for n in range(len(rows[0]))]
    return Found(place, len(rows) - header, lambda: _named(names, rows[header:]))


def _why_not(document: Any) -> str:
    kind = "an array" if isinstance(document, list) else "an object"
    if not isinstance(document, (list, dict)):
        kind = type(document).__name__
    example = '[{"text": "fine", "label": "good"}]'
    return f"the JSON is {kind} in which there is no array of objects, such as {example}"
