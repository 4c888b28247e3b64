"""Schema: what the data of a task looks like, so that readers need not know any task."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import nan
from typing import Literal

SPLITS = ("train", "valid", "test")

Cell = str | bytes | float
"""The value of one column for one example."""


class ColumnKind(Enum):
    """The type of a column's cells; all but `FLOAT` are kept as written.

    `TEXT`, `LABEL` (one of a few), `BYTES` and `IMAGE` (the name and the bytes of an image): a row
    with an empty one is dropped and counted.
    `NAME` (of a user, an item), `NUMBER` and `TIME` (seconds, or an ISO 8601 date): one that is
    empty or cannot be read is an error with its location. `FLOAT` is kept as a number. `LIST` holds
    several short values, such as labels or the words of a sentence, separated by tabs.
    """

    TEXT = "text"
    LABEL = "label"
    NAME = "name"
    NUMBER = "number"
    TIME = "time"
    FLOAT = "float"
    LIST = "list"
    BYTES = "bytes"
    IMAGE = "image"


@dataclass(frozen=True)
class Column:
    """A role that a column of the data plays.

    Args:
        name: of the role; the corpus has its column under this name.
        words: what else people call such a column, in lower case.
        kind: what its cells are.
        optional: it may be missing, or missing in some rows; its cells are then empty.
        blank: it must be there, and its cells may be empty all the same.
        extra: an optional one that the corpus does not have where it is missing everywhere, and
            whose name alone makes no first row a header.
        telling: where a table has such an optional column, it is of this task.
        option: by which a caller says which column of the data this is, where that is not the name.
        within: the role in whose cells this one's stand word for word, as answers do in passages.
    """

    name: str
    words: tuple[str, ...] = ()
    kind: ColumnKind = ColumnKind.TEXT
    optional: bool = False
    blank: bool = False
    extra: bool = False
    telling: bool = False
    option: str = ""
    within: str = ""

    @property
    def asked(self) -> str:
        """The option by which a caller says which column of the data this is."""
        return self.option or self.name

    @property
    def called(self) -> tuple[str, ...]:
        """Every name that such a column is known by."""
        return (self.name, *self.words)

    @property
    def empty(self) -> Cell:
        """The cell of a row that has none."""
        if self.kind is ColumnKind.FLOAT:
            return nan
        return b"" if self.kind in (ColumnKind.BYTES, ColumnKind.IMAGE) else ""


@dataclass(frozen=True)
class ByHash:
    """Hold out rows for validation by the hash of their first column, or of its first line alone.

    So what was written twice stands on one side, and no seed and no order moves a row.
    """

    first_line: bool = False


@dataclass(frozen=True)
class AtEnd:
    """Hold out the last `share` of a running text."""

    share: float = 0.1


@dataclass(frozen=True)
class ByTask:
    """Hold out nothing: the task does that itself, as `note` tells the user."""

    note: str


@dataclass(frozen=True)
class Schema:
    """The columns of a task's examples, and the forms in which people keep them.

    Args:
        task: its name; readers compare it with the name that the caller asks for, and print it.
        columns: those that must be there first, then those that may be missing.
        hold_out: what becomes of rows to validate on where none are given.
        unit: what the size of the data is counted in.
        streams: the data may be read as a stream, larger than the disk.
        between: what is printed between the names of the columns.
        any_two: any two columns may be these, whatever they are called: their values tell.
        twins: the first two columns are alike, so that names that differ by 1 and 2 are theirs.
        running_text: the rows, joined, are one text; plain text files are such data.
        parallel: two files side by side whose lines belong together; languages name their endings,
            or the two columns of a table.
        label_files: files, or folders of files, that each hold texts of one label.
        picture_folders: folders of pictures that each hold those of one label.
        mask_folders: a folder of pictures beside one of their masks.
        caption_folders: a table in a folder of pictures, which may lie anywhere in it.
        inferred: data may be read as this without being asked to; False where data cannot tell it
            from another task's.
        babi: stories in the format of bAbI: story, question, answer, support.
        item_file: the column of items which RecBole's `.item` file beside the data describes, in
            the extra column.

    Raises `ValueError` when these contradict each other.

    >>> tags = Schema("tag", (Column("words", ("tokens",)), Column("tags", ("pos_tags",))))
    >>> [column.name for column in tags.required], tags.names_of(("tokens", ""))
    (['words', 'tags'], ('tokens', 'tags'))
    """

    task: str
    columns: tuple[Column, ...]
    hold_out: ByHash | AtEnd | ByTask = ByHash()
    unit: Literal["rows", "characters"] = "rows"
    streams: bool = True
    between: str = ", "
    any_two: bool = False
    twins: bool = False
    running_text: bool = False
    parallel: bool = False
    label_files: bool = False
    picture_folders: bool = False
    mask_folders: bool = False
    caption_folders: bool = False
    inferred: bool = True
    babi: bool = False
    item_file: str = ""

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise ValueError(f"the schema of the task {self.task!r} {fault}")

    @property
    def required(self) -> tuple[Column, ...]:
        """The columns that must be there."""
        return tuple(column for column in self.columns if not column.optional)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """What a trained network is asked by: the columns that must be there, without the answer.

        The answer is the last of them; what is alone is asked by itself.
        """
        return self.required[:-1] or self.required

    @property
    def right(self) -> Column | None:
        """The column that an answer is compared with, None where nothing is right or wrong."""
        alone = len(self.required) < 2 or self.item_file
        return None if alone else self.required[-1]

    @property
    def label(self) -> int | None:
        """The place of the column of labels, if there is one."""
        kinds = [column.kind for column in self.columns]
        return kinds.index(ColumnKind.LABEL) if ColumnKind.LABEL in kinds else None

    @property
    def aligned(self) -> bool:
        """Whether the columns are two lists with as many values each, words and their tags."""
        return [column.kind for column in self.required] == [ColumnKind.LIST] * 2

    @property
    def divides_labels(self) -> bool:
        """Whether rows may be held out so that the labels keep their shares."""
        return (
            self.label is not None
            and isinstance(self.hold_out, ByHash)
            and not self.hold_out.first_line
        )

    def column(self, name: str) -> Column:
        """The column of this role; raises `KeyError` where there is none."""
        return {column.name: column for column in self.columns}[name]

    def names_of(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The names of columns of the data, in place of a missing one that of its role."""
        roles = zip(columns, self.columns, strict=False)
        return tuple(name or column.name for name, column in roles)

    def _faults(self) -> list[str]:
        names = [column.name for column in self.columns]
        optional = [column.optional for column in self.columns]
        twice = [name for name, count in Counter(names).items() if count > 1]
        kinds = [column.kind for column in self.columns]
        wanted = {
            **{"running_text": 1, "any_two": 2, "parallel": 2},
            **{"label_files": 2, "picture_folders": 2, "mask_folders": 2, "babi": 4},
        }
        faults = [
            f"has {len(names)} columns, and with {flag}=True it needs {count}"
            for flag, count in wanted.items()
            if getattr(self, flag) and len(names) != count
        ]
        checks = {
            "has no column that must be there": not self.required,
            f"has two columns {', '.join(twice)}": bool(twice),
            "has optional columns before others": optional != sorted(optional),
            "has an extra column that is not the last, optional one": any(
                column.extra and not (column.optional and column is self.columns[-1])
                for column in self.columns
            ),
            "has more than one column of labels": kinds.count(ColumnKind.LABEL) > 1,
            "has label_files=True, and its second column is no label": (
                self.label_files and self.label != 1
            ),
            "has picture_folders=True, and its columns are no pictures and labels": (
                self.picture_folders and (kinds[0] is not ColumnKind.IMAGE or self.label != 1)
            ),
            "holds out the end of a text, and has running_text=False": (
                isinstance(self.hold_out, AtEnd) and not self.running_text
            ),
            f"has item_file={self.item_file!r}, which is no column beside an extra one": (
                bool(self.item_file) and (self.item_file not in names or not self.columns[-1].extra)
            ),
        }
        return faults + [fault for fault, found in checks.items() if found]
