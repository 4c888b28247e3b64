"""The predictions for the rows of a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from regard.data.writing.row_writer import check_out
from regard.run.predicting import AnswerColumns, write_replies
from regard.run.questions import Asker
from regard.run.replies import Reply, Tally, replies


@dataclass(frozen=True)
class Predicted:
    """The number of rows, and how many of them were answered.

    Args:
        notes: what to report: how the file was read, which rows have no answer.
        answers: the best answer for each row, None for a row without one; empty if they were
            written to a file.
    """

    rows: int
    answered: int
    notes: tuple[str, ...] = ()
    answers: tuple[str | None, ...] = ()


def predicted(
    asker: Asker, path: Path, out: Path | None, num_answers: int, force: bool
) -> Predicted:
    """Predict the rows of a file, and optionally write them with the answers.

    Raises `ValueError` when the file, or every row in it, cannot be read, or the output cannot be
    written.
    """
    if out:
        check_out(out, force)
    questions, tally = asker.of_file(path), Tally(asker.schema, asker.exact)
    found = counted(replies(asker.predictor, questions.rows(), num_answers), tally)
    answers: list[str | None] = []
    notes = list(questions.notes)
    if out is None:
        answers += [reply.answer.best if reply.answer else None for reply in found]
    else:
        columns = AnswerColumns.of(questions, asker.schema, num_answers)
        write_replies(out, questions, columns, found, force)
        notes += columns.renamed()
    return Predicted(tally.rows, tally.answered, (*notes, *tally.lines()), tuple(answers))


def counted(found: Iterable[Reply], tally: Tally) -> Iterator[Reply]:
    """The replies, counted as they come.

    Raises `ValueError` at the end when no row could be read.
    """
    for reply in found:
        tally.add(reply)
        yield reply
    if tally.unread and not tally.answered:
        raise ValueError(f"none of the {tally.rows:,} rows can be read: {tally.why[0]}")
