"""What becomes of the rows of a file that a trained network is asked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from regard.data.writing.row_writer import check_out
from regard.run.predicting import AnswerColumns, write_replies
from regard.run.questions import Asker
from regard.run.replies import Reply, Tally, replies


@dataclass(frozen=True)
class Predicted:
    """How many rows there are, and how many of them were answered.

    Args:
        notes: what is to be said: how the file was read, which rows have no answer.
        answers: the best answer to each row, None for a row without one; none of them where they
            were written into a file.
    """

    rows: int
    answered: int
    notes: tuple[str, ...] = ()
    answers: tuple[str | None, ...] = ()


def predicted(
    asker: Asker, path: Path, out: Path | None, num_answers: int, force: bool
) -> Predicted:
    """Ask a network the rows of a file, and write them with the answers where that is asked for.

    Raises `ValueError` when the file cannot be read, nothing in it, or the other not be written.
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
    """The replies, each counted when it comes.

    Raises `ValueError` at the end when no row could be read.
    """
    for reply in found:
        tally.add(reply)
        yield reply
    if tally.unread and not tally.answered:
        raise ValueError(f"none of the {tally.rows:,} rows can be read: {tally.why[0]}")
