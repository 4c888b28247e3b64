"""`regard predict`: ask a trained model, and see where it attended."""

import json as json_module
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from regard._io.faults import sentence
from regard._printable import printable
from regard.cli.sources import STANDARD_INPUT, Source, sources_of
from regard.data.reading.compression import inner_suffix
from regard.data.reading.text_encoding import AUTO
from regard.data.writing.row_writer import TEXTS, check_out
from regard.data.writing.values import on_one_line
from regard.errors import UsageError
from regard.run.predicted import counted
from regard.run.predicting import AnswerColumns, write_replies
from regard.run.questions import Asker, Questions
from regard.run.replies import AT_ONCE, Reply, Tally, replies
from regard.run.run import Run
from regard.view.answer import drawn_answer


def run(
    run: Path,
    texts: Sequence[str],
    answers: int,
    show: bool | None,
    json: bool,
    columns: Mapping[str, str | None],
    reading: Mapping[str, Any],
    writing: Mapping[str, Any],
) -> int:
    """Print the answer to each text or row, drawn, as a line or as an object, or write them.

    Args:
        columns: that play the roles of the run's task, None for those of training.
        reading: `encoding`, `as_text` and `compare`, as `Run.asker` takes them.
        writing: `out`, the file, and `force`.
    """
    try:
        found = Run(run)
        said = {role: name for role, name in columns.items() if name}
        asker = found.asker(said, **{**reading, "encoding": reading["encoding"] or AUTO})
        words = texts or _standard_input()
        sources = sources_of(words, reading["as_text"], asker.reads_pictures)
        out, force = writing["out"], writing["force"]
        _check(sources, out, force, json, reading["compare"])
        for each in sources:
            questions = each.questions(asker)
            if out:
                _write(each, questions, asker, answers, out, force)
            else:
                printed = _as_json if json else _printed(each, answers, show)
                _print(each, questions, asker, answers, printed)
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(sentence(error)) from None
    return 0


def _standard_input() -> list[str]:
    """The word for standard input, where something is redirected there."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError(
            "say what is asked: a text, a file, or - for standard input, which can be redirected "
            "(regard predict RUN < FILE)"
        )
    return ["-"]


def _check(
    asked: Sequence[Source], out: str | None, force: bool, json: bool, compare: bool
) -> None:
    """Raise `ValueError` for options that exclude each other."""
    if compare and not any(each.path for each in asked):
        raise ValueError("--compare needs a file with a column of what is right")
    if not out:
        return
    if json:
        raise ValueError("--json prints and --out writes: leave one of them out")
    if len(asked) > 1:
        raise ValueError(f"--out {out} takes the rows of one file; ask for each file by itself")
    if out != "-":
        check_out(Path(out), force)


Printed = Callable[[Reply], str]


def _printed(asked: Source, answers: int, show: bool | None) -> Printed:
    """How a reply is printed: drawn, or on one line."""
    typed = asked.typed
    drawn = typed if show is None else show

    def picture(reply: Reply) -> str:
        return "" if reply.answer is None else drawn_answer(reply.answer, drawn)

    def line(reply: Reply) -> str:
        best = [] if reply.answer is None else reply.answer.answers[: max(1, answers)]
        return "\t".join(printable(on_one_line(text)) for text, _ in best)

    return picture if typed or drawn else line


def _print(
    asked: Source, questions: Questions, asker: Asker, answers: int, printed: Printed
) -> None:
    """Print a reply to each row; standard input is answered as it comes."""
    tally = Tally(asker.schema, asker.exact)
    at_once = 1 if asked.name == STANDARD_INPUT else AT_ONCE
    rows = questions.rows()
    found = replies(asker.predictor, rows, answers, at_once=at_once, strict=asked.typed)
    for reply in counted(found, tally):
        print(printed(reply), flush=reply.row % at_once == 0)
    sys.stdout.flush()
    if not asked.typed:
        _say([*questions.notes, *tally.lines(strange=printed is not _as_json)])


def _write(
    asked: Source, questions: Questions, asker: Asker, answers: int, out: str, force: bool
) -> None:
    """Write the rows with their answers, and say what came of them."""
    tally = Tally(asker.schema, asker.exact)
    columns = AnswerColumns.of(questions, asker.schema, answers)
    found = counted(replies(asker.predictor, questions.rows(), answers), tally)
    if out == "-":
        ending = inner_suffix(asked.path) if asked.path else ""
        kind = {".csv": ".csv", ".json": ".jsonl", ".jsonl": ".jsonl"}.get(ending, ".tsv")
        writer = TEXTS[kind](sys.stdout, columns.names)
        for reply in found:
            writer.write(columns.row(reply))
        sys.stdout.flush()
    else:
        write_replies(Path(out), questions, columns, found, force)
    rows = "1 row" if tally.rows == 1 else f"{tally.rows:,} rows"
    where = "standard output" if out == "-" else out
    _say(
        [*questions.notes, *columns.renamed(), *tally.lines(), f"{rows} of {asked.name} in {where}"]
    )


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"regard: {printable(note)}", file=sys.stderr)


def _as_json(reply: Reply) -> str:
    """One object: the row's number, its text as it was typed, and what was found."""
    answer = reply.answer
    weights = None if answer is None or answer.weights is None else answer.weights.tolist()
    entry: dict[str, Any] = {
        "row": reply.row,
        "text": reply.question.text or (answer.text if answer else reply.question.text),
        "answer": None if answer is None else answer.best,
        "answers": [
            {"answer": each, "log_probability": score}
            for each, score in (answer.answers if answer else ())
        ],
        "inputs": answer.inputs if answer else [],
        "outputs": answer.outputs if answer else [],
        "alignment": weights,
        "unknown": answer.unknown if answer else [],
    }
    if reply.why:
        entry["error"] = reply.why
    # Whatever the terminal's encoding is, and whatever was typed: JSON in ASCII survives it.
    return json_module.dumps(entry, ensure_ascii=True)
