"""The inputs of a trained network, row by row: from files, standard input, or typed."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, BinaryIO
from weakref import finalize

from regard._io.files import read_json
from regard.data.reading.every_row import EveryRow, every_row
from regard.data.reading.input_columns import RoleColumns, right_bound
from regard.data.reading.input_file import input_lines, input_table, names_columns
from regard.data.reading.json_tables import flattened
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.lines import MAX_LINE_BYTES, Line, every_line
from regard.data.reading.paths import not_there
from regard.data.reading.tables import Table
from regard.data.reading.text_encoding import AUTO, check_encoding
from regard.data.schema import Cell, ColumnKind, Schema
from regard.run.input_roles import InputRoles, RoleCell, RowInput
from regard.tasks.predictor import Predictor

TEXT = "text"
"""The column name of lines of plain text."""
TAB = "\t"


@dataclass(frozen=True)
class Question:
    """A row: its location, its values, its input, or why it cannot be read.

    Args:
        kept: its values by the columns of the file, as written.
        asked: the input of the network; None for a row that is empty or cannot be read.
        right: the right answer, to compare with.
    """

    where: str
    kept: Mapping[str, Any]
    asked: Any = None
    why: str = ""
    right: Cell | None = None

    @property
    def text(self) -> str | None:
        """The typed line; None for a row of a table, and for one that cannot be read."""
        found = self.kept.get(TEXT) if len(self.kept) == 1 else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class Questions:
    """Rows that can be read any number of times, except those of standard input.

    Args:
        notes: what to report about how they are read.
        table: their table, None for lines of text.
    """

    rows: Callable[[], Iterator[Question]]
    notes: tuple[str, ...] = ()
    table: Table | None = None


class Begun:
    """A byte stream whose first line has already been read."""

    def __init__(self, first: bytes, file: BinaryIO) -> None:
        self._first, self._file = first, file

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, or its first bytes."""
        if not self._first:
            return self._file.readline(size)
        line = self._first if size < 0 else self._first[:size]
        self._first = self._first[len(line) :]
        return line


@dataclass(frozen=True)
class Asker:
    """Reads inputs of a predictor from rows.

    Args:
        schema: of the predictor's task; one column of texts for a task that reads no data.
        columns: of the run, and those named by the caller.
        roles: turns rows into inputs.
        encoding: of text.
        as_text: take a line that is a JSON object as text.
        compare: read the right answers, too.
        exact: whether labels that differ only in case are different.
    """

    predictor: Predictor
    schema: Schema
    columns: RoleColumns
    roles: InputRoles
    encoding: str = AUTO
    as_text: bool = False
    compare: bool = False
    exact: bool = False
    lexicon: Lexicon = field(default_factory=lambda: Lexicon.of(()))

    def __post_init__(self) -> None:
        check_encoding(self.encoding)

    @property
    def reads_pictures(self) -> bool:
        """Whether the inputs are images, given by the paths of their files."""
        return self.schema.inputs[0].kind is ColumnKind.IMAGE

    def of_file(self, path: Path) -> Questions:
        """The rows of a file; raises `ValueError` for one that cannot be read or does not exist."""
        if path.is_dir():
            raise ValueError(f"{path} is a folder; give one of its files")
        if not path.exists():
            raise FileNotFoundError(not_there(path))
        names = (*self.columns.names, *(role.name for role in self.schema.columns))
        table = input_table(path, self.schema, self.lexicon, names, self.encoding)
        if table is None:
            if self.compare:
                raise ValueError(
                    f"{path} is plain text, with nothing to compare: leave out --compare"
                )
            return Questions(lambda: self._of_lines(input_lines(path, self.encoding), str(path)))
        _, notes = self.roles.of_table(table, str(path))
        right = None
        if self.compare:
            bound = right_bound(table, str(path), self.schema, self.columns)
            assert self.schema.right is not None
            right = RoleCell(self.schema.right, bound)
        said = tuple(f"{path.name}: {note}" for note in table.said)
        return Questions(lambda: self._of_table(table, str(path), right), (*said, *notes), table)

    def of_stream(self, file: BinaryIO, name: str) -> Questions:
        """Lines as they arrive, such as those of standard input; or a table, once it is complete.

        It is a table if its first line names the input columns.
        """
        encoding = "utf-8" if self.encoding == AUTO else self.encoding
        first = file.readline(MAX_LINE_BYTES + 2)
        mark = None if self.as_text else self._mark(first, encoding)
        stream = Begun(first, file)
        if mark is not None:
            return self._of_table_in(stream, name, mark)
        return Questions(lambda: self._of_lines(every_line(stream, name, encoding), name))

    def of_pipe(self, path: Path) -> Questions:
        """The rows of a named pipe, once, like those of standard input."""
        return self.of_stream(open(path, "rb"), str(path))

    def _mark(self, first: bytes, encoding: str) -> str | None:
        """The mark between the names of columns, None where a first line is none of names."""
        try:
            line = first.removeprefix(BOM_UTF8).decode(encoding)
        except UnicodeError:
            return None
        inputs = self.schema.inputs
        known = [self.columns.known(r, n, len(inputs) == 1) for n, r in enumerate(inputs)]
        return names_columns(line, known)

    def _of_table_in(self, stream: "Begun", name: str, mark: str) -> Questions:
        """The rows of a table that can be read once, by a copy that goes when they are gone."""
        folder = Path(mkdtemp(prefix="regard-"))
        path = folder / f"rows{'.tsv' if mark == TAB else '.csv'}"

        def named(said: str) -> str:
            return said.replace(str(path), name).replace(path.name, name)

        def rows() -> Iterator[Question]:
            for each in found.rows():
                yield replace(each, where=named(each.where), why=named(each.why))

        try:
            with path.open("wb") as copy:
                while raw := stream.readline(MAX_LINE_BYTES):
                    copy.write(raw)
            found = self.of_file(path)
        except BaseException as error:
            rmtree(folder, ignore_errors=True)
            if isinstance(error, ValueError):
                raise ValueError(named(str(error))) from None
            raise
        note = f"{name} is a table, by its first line; --as-text asks about that line too"
        questions = Questions(rows, (note, *map(named, found.notes)), found.table)
        finalize(questions, rmtree, folder, ignore_errors=True)
        return questions

    def of_texts(self, texts: Sequence[str]) -> Questions:
        """Typed texts."""
        return Questions(
            lambda: (self._of_text(text, f"text {n}") for n, text in enumerate(texts, 1))
        )

    def _of_lines(self, found: Iterable[Line], name: str) -> Iterator[Question]:
        for line in found:
            if line.why:
                yield Question(f"{name} line {line.number}", {TEXT: None}, None, line.why)
            elif line.text.strip():
                yield self._of_text(line.text, f"{name} line {line.number}")
            else:
                yield Question(f"{name} line {line.number}", {TEXT: line.text})

    def _of_text(self, text: str, where: str) -> Question:
        """A text, or the row that a JSON object with the names of roles stands for."""
        try:
            found = None if self.as_text else self._of_object(text, where)
            return found or Question(where, {TEXT: text}, self.predictor.input_of(text))
        except ValueError as error:
            why = str(error)
            why = why if why.startswith(where) else f"{where}: {why}"
            return Question(where, {TEXT: text}, None, why)

    def _of_object(self, text: str, where: str) -> Question | None:
        """The row that a JSON object is, None for a text and an object of other names."""
        if not text.lstrip().startswith("{"):
            return None
        try:
            entry = read_json(text)
        except ValueError:
            return None
        if not isinstance(entry, dict):
            return None
        row = EveryRow(where, entry, flattened(entry))
        made = self.roles.of_object(row.values, where)
        return None if made is None else Question(where, {TEXT: text}, made(row))

    def _of_table(self, table: Table, where: str, right: RowInput | None) -> Iterator[Question]:
        # Made anew each time: what is asked by a row may depend on those before it.
        made, _ = self.roles.of_table(table, where)
        for row in every_row(table):
            if row.why:
                yield Question(row.where, row.kept, None, row.why)
                continue
            try:
                wanted = right(row) if right else None
                yield Question(row.where, row.kept, made(row), right=wanted)
            except ValueError as error:
                yield Question(row.where, row.kept, None, str(error))
