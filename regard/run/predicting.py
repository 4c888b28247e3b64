"""The rows of a file with the answers of a trained network."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.every_row import kept_columns
from regard.data.reading.parquet_tables import Parquet, parquet_file
from regard.data.reading.separated import Separated
from regard.data.schema import ColumnKind, Schema
from regard.data.writing.parquet_writer import schema_of
from regard.data.writing.row_writer import check_out, rows_written
from regard.run.questions import TEXT, Questions
from regard.run.replies import Reply

ANSWER, PROBABILITY, ANSWERS = "answer", "probability", "answers"


@dataclass(frozen=True)
class AnswerColumns:
    """The columns of a table of answers: those of the rows, and those added.

    Args:
        kept: of the rows.
        added: `answer` and so on → their names, since a row may already have an `answer`.
        num_answers: number of answers per row.
    """

    kept: tuple[str, ...]
    added: Mapping[str, str]
    num_answers: int

    @classmethod
    def of(cls, questions: Questions, schema: Schema, num_answers: int) -> "AnswerColumns":
        """The columns of these rows, and those that a task adds."""
        kept = kept_columns(questions.table) if questions.table else (TEXT,)
        wanted = [ANSWER]
        if has_probability(schema):
            wanted.append(PROBABILITY)
        if num_answers > 1:
            wanted.append(ANSWERS)
        start = ""
        while any(start + name in kept for name in wanted):
            start += "predicted_"
        return cls(kept, {name: start + name for name in wanted}, num_answers)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns in order."""
        return (*self.kept, *self.added.values())

    def renamed(self) -> list[str]:
        """A note if the rows already have a column `answer`."""
        if self.added[ANSWER] == ANSWER:
            return []
        return [f"the answers are in {self.added[ANSWER]!r}: the rows have such a column already"]

    def row(self, reply: Reply) -> dict[str, Any]:
        """A row with its reply."""
        answer = reply.answer
        said: dict[str, Any] = dict.fromkeys((ANSWER, PROBABILITY, ANSWERS))
        if answer is not None:
            texts = [text for text, _ in answer.answers[: self.num_answers]]
            probability = math.exp(min(0.0, answer.answers[0][1]))
            said = {ANSWER: answer.best, PROBABILITY: probability, ANSWERS: texts}
        return {**reply.question.kept, **{name: said[key] for key, name in self.added.items()}}

    def arrow_schema(self, questions: Questions) -> Any:
        """The type of all columns: as in a Parquet file, text in text files, else by all rows."""
        arrow, table = extra("pyarrow"), questions.table
        if isinstance(table, Parquet):
            with parquet_file(table.path) as file:
                kept = file.schema_arrow.remove_metadata()
        elif table is None or isinstance(table, Separated):
            kept = arrow.schema([(name, arrow.string()) for name in self.kept])
        else:
            kept = schema_of((each.kept for each in questions.rows()), self.kept)
        kinds = {
            ANSWER: arrow.string(),
            PROBABILITY: arrow.float64(),
            ANSWERS: arrow.list_(arrow.string()),
        }
        return arrow.schema([*kept, *(arrow.field(n, kinds[k]) for k, n in self.added.items())])


def has_probability(schema: Schema) -> bool:
    """Whether an answer's probability is meaningful: not for numbers, nor for samples."""
    return not schema.running_text and schema.required[-1].kind is not ColumnKind.FLOAT


def write_replies(
    path: Path, questions: Questions, columns: AnswerColumns, found: Iterable[Reply], force: bool
) -> None:
    """Write all rows with their replies, atomically.

    Raises `ValueError` for a file that cannot be written.
    """
    check_out(path, force)
    names = columns.names
    if path.suffix.lower() == ".txt":
        names = (columns.added[ANSWER],)
    try:
        with rows_written(path, names, lambda: columns.arrow_schema(questions)) as write:
            for reply in found:
                write(columns.row(reply))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from None
