"""A folder of pictures, and a table that says what is on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from regard.data.reading.picture_folders import holds_pictures, pictures_in
from regard.data.reading.picture_names import PictureNames, differences
from regard.data.reading.pictures import picture_path
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.rows import RowSource, Tabled
from regard.data.reading.tables import ENDINGS, OverTable, PlacedRow, Table
from regard.data.schema import ColumnKind

_LOOKED_AT = 50
"""Rows by which it is told whether a column names pictures."""
NAMED = 3
"""Pictures that are named where a table speaks of them and they are not there."""


@dataclass(frozen=True)
class OfPictures(OverTable):
    """A table without the rows whose picture is not there, and with the paths of the others.

    Args:
        column: that names the pictures.
        places: what stands in that column, and the file that it means.
    """

    column: str
    places: Mapping[str, Path]

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        asked = list(dict.fromkeys([*names, self.column]))
        place = asked.index(self.column)
        for where, row in self.table.rows(asked):
            # What is no name, such as bytes and an empty cell, is judged by who reads on.
            name = row[place]
            found = self.places.get(name.strip()) if isinstance(name, str) else None
            if found is None and isinstance(name, str) and name.strip():
                continue
            whole = row if found is None else (*row[:place], str(found), *row[place + 1 :])
            yield where, whole[: len(names)]


def with_pictures(folder: Path, layout: Layout) -> Layout:
    """The same rows, the pictures that they name being looked for everywhere in a folder.

    A picture is named by its path in the folder, or by the end of it where only one file has it;
    spelled otherwise as `PictureNames` says, which is noted. Rows whose picture is not there are
    left out, and both these and the pictures that no row speaks of are said.

    Raises `ValueError` where no picture of a part is there.
    """
    pictures = tuple(path.absolute() for path in pictures_in(folder))
    known = PictureNames(pictures, folder.absolute())
    splits: dict[str, RowSource] = {}
    notes, used = list[str](), set[Path]()
    rows_of = "captions" if layout.schema.caption_folders else "rows"
    for split, rows in layout.splits.items():
        column = _column(rows)
        if column is None or not isinstance(rows, Tabled):
            return layout
        said = _said(rows.table, column)
        meant = known.meant(said)
        places = {name: each.path for name, each in meant.items()}
        if said and not places:
            there = _some([path.name for path in pictures])
            raise ValueError(
                f"none of the {len(said):,} pictures that {rows.table.path} names is in {folder}: "
                f"{_some(list(said))}; there is {there}; pictures are named by their paths in the "
                "folder, or by the names of their files"
            )
        notes += differences(meant)
        missing = [name for name in said if name not in places]
        if missing:
            count = sum(said[name] for name in missing)
            notes.append(
                f"{count:,} {rows_of} without their picture left out ({split}): {_some(missing)}"
            )
        used.update(places.values())
        splits[split] = replace(rows, table=OfPictures(rows.table, column, places))
    left = len(set(pictures) - used)
    if left:
        notes.append(f"{left:,} pictures without a {rows_of[:-1]} left out")
    return replace(layout, splits=splits, notes=(*layout.notes, *notes))


def may_have_captions(path: Path, request: DataRequest) -> bool:
    """Whether there are pictures in a folder, and data may be read as what is said of them."""
    return request.first(lambda schema: schema.caption_folders) is not None and holds_pictures(path)


def caption_tables(files: Sequence[Path]) -> list[Path]:
    """The files beside pictures that may say what is on them."""
    return [file for file in files if file.suffix.lower() in (*ENDINGS, ".txt", ".token")]


def stem_column(folder: Path, table: Table) -> str | None:
    """The column all of whose first values mean pictures in a folder, None where none does."""
    known = PictureNames(tuple(path.absolute() for path in pictures_in(folder)), folder.absolute())
    rows = [cells for _, cells in islice(table.rows(table.names), _LOOKED_AT)]
    for place, name in enumerate(table.names):
        said = {str(row[place]).strip() for row in rows} - {""}
        if len(said) > 1 and len(known.meant(said)) == len(said):
            return name
    return None


def pictures_beside(path: Path, layout: Layout) -> Path | None:
    """The folder beside a table, or beside its folder, in which the pictures lie that it names.

    None where they lie where its paths say, or nowhere.
    """
    rows = layout.splits["train"]
    column = _column(rows)
    if column is None or not isinstance(rows, Tabled):
        return None
    said = (cells[0] for _, cells in islice(rows.table.rows([column]), NAMED))
    names = [name.strip() for name in said if isinstance(name, str) and name.strip()]
    if not names or any(picture_path(name, path.parent) for name in names):
        return None
    for folder in (path.parent, path.parent.parent):
        inner = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
        for place in inner:
            if any(picture_path(name, place) for name in names):
                return place
    return None


def _column(rows: RowSource) -> str | None:
    """The column that names pictures."""
    if not isinstance(rows, Tabled):
        return None
    roles = zip(rows.schema.columns, rows.bounds, strict=False)
    images = [b.columns for r, b in roles if r.kind is ColumnKind.IMAGE]
    return images[0][0] if images and images[0] else None


def _said(table: Table, column: str) -> dict[str, int]:
    """The names of pictures in a table, and how often each stands there."""
    found: dict[str, int] = {}
    for _, (name,) in table.rows([column]):
        if isinstance(name, str) and name.strip():
            found[name.strip()] = found.get(name.strip(), 0) + 1
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
