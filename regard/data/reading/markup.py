"""Translation memories: TMX and XLIFF, read element by element."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from regard.data.reading.compression import open_plain
from regard.data.reading.tables import Listed, PlacedRow

UNITS_FROM = 1000
"""Units whose languages are the columns of a file."""

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MOST_ENTITIES = b"<!ENTITY"


def translation_memory(path: Path) -> Listed:
    """The segments of a TMX or XLIFF file, a column for each language.

    Raises `ValueError` for XML that is neither, or not well formed.
    """
    kind = root_of(path)
    if kind not in _UNITS:
        raise ValueError(
            f"{path} is XML with {kind!r} at its root, neither TMX nor XLIFF; convert it "
            "to one of these, or write a table with a column for each language"
        )
    make = _UNITS[kind]
    names = tuple(dict.fromkeys(lang for unit in islice(make(path), UNITS_FROM) for lang in unit))
    if len(names) < 2:
        listed = ", ".join(names) or "none"
        raise ValueError(f"{path} has segments of {listed}, and a translation needs two languages")

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, unit in enumerate(make(file), 1):
            yield f"{file} unit {number}", tuple(unit.get(name) for name in names)

    return Listed(path, names, rows, (f"{'TMX' if kind == 'tmx' else 'XLIFF'}, a unit a row",))


def root_of(path: Path) -> str:
    """The name of the outermost element; raises `ValueError` for what is no XML."""
    for _, element in _parsed(path, ("start",)):
        return _plain(element.tag)
    raise ValueError(f"{path} has no element")


def _parsed(path: Path, events: Sequence[Literal["start", "end"]]) -> Iterator[tuple[str, Any]]:
    with open_plain(path) as file:
        head = file.read(2**16)
        if _MOST_ENTITIES in head:
            # Entities of entities make gigabytes of a few lines.
            raise ValueError(f"{path} declares entities, which are not read; write them out")
        file.seek(0)
        try:
            yield from ElementTree.iterparse(file, events)
        except ElementTree.ParseError as error:
            line, column = error.position
            raise ValueError(f"{path} line {line} column {column + 1}: {error.msg}") from None


def _plain(tag: Any) -> str:
    return str(tag).rpartition("}")[2].lower()


def _tmx(path: Path) -> Iterator[dict[str, str]]:
    for _, element in _parsed(path, ("end",)):
        if _plain(element.tag) != "tu":
            continue
        unit = {}
        for variant in element:
            if _plain(variant.tag) == "tuv":
                lang = variant.get(_LANG) or variant.get("lang") or ""
                segments = [part for part in variant if _plain(part.tag) == "seg"]
                unit[lang.lower()] = " ".join(_text(segment) for segment in segments)
        yield unit
        element.clear()


def _xliff(path: Path) -> Iterator[dict[str, str]]:
    source, target = "source", "target"
    for event, element in _parsed(path, ("start", "end")):
        kind = _plain(element.tag)
        if event == "start" and kind in ("file", "xliff"):
            source = element.get("source-language") or element.get("srcLang") or source
            target = element.get("target-language") or element.get("trgLang") or target
        elif event == "end" and kind in ("trans-unit", "segment"):
            texts = {_plain(part.tag): _text(part) for part in element}
            yield {source.lower(): texts.get("source", ""), target.lower(): texts.get("target", "")}
            element.clear()


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


_UNITS = {"tmx": _tmx, "xliff": _xliff}
