"""How a run ended: printed at its end, saved in `summary.json`, and printed again on restart."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from regard._io.faults import writing
from regard._io.files import read_json, write_whole
from regard.data.reading.corpus import Corpus, fingerprint
from regard.data.reading.unreadable import unreadable_notes
from regard.run.display import metrics_line
from regard.run.kept_data import has_rows
from regard.run.page import PAGE
from regard.run.preparing import TOKENS, trained_on
from regard.run.saved_settings import entries_in
from regard.run.settings import AnySettings
from regard.run.telling import ask_it, best_of, longer, question_for, too_long_for, why_ended
from regard.tasks.exchange import read_about
from regard.tasks.task import Task
from regard.training.checkpoint import newest
from regard.training.checkpoint_content import state_in
from regard.training.run_folder import BEST, CHECKPOINTS, METRICS
from regard.training.trainer_state import TrainerState

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Summary:
    """What is said at the end of a run, and its step.

    Args:
        question: an input of the task, as it is typed; None of a run of version 0.1.
        tested: whether there was test data.
    """

    step: int
    sentences: tuple[str, ...]
    question: str | None = None
    tested: bool = True

    def told(self, folder: Path) -> tuple[str, ...]:
        """The sentences, with those that name the folder, wherever it is by now."""
        if self.question is None:
            return self.sentences
        other = () if self.tested else (f"Test it: regard eval {quote(str(folder))} --data FILE",)
        place = f"The run is in {folder}, its page is {folder / PAGE}."
        return (*self.sentences, place, *other, ask_it(folder, self.question))


def summary_of(
    folder: Path,
    task: Task,
    settings: AnySettings,
    state: TrainerState,
    scores: Mapping[str, float],
    corpus: Corpus | None = None,
) -> Summary:
    """The summary of a run that has ended and been tested."""
    history = [read_json(line) for line in (folder / METRICS).read_text("utf-8").splitlines()]
    tested = (
        f"On test data: {metrics_line(scores)}."
        if scores
        else "There is no test data; put it in a file named test next to the training file."
    )
    remarks = [e["text"].rstrip(".") for e in history if e.get("event") == "remark_test"]
    unreadable = unreadable_notes(Counter(corpus.left_out)) if corpus is not None else {}
    said = (
        *best_of(history, state),
        why_ended(state, settings.train, task.metric),
        tested,
        *(f"On test data, {remark}." for remark in dict.fromkeys(remarks)),
        *(f"{sentence}." for sentence in too_long_for(task)),
        *(f"{number:,} {what}." for what, number in unreadable.items()),
    )
    return Summary(state.step, said, question_for(task), bool(scores))


def write_summary(folder: Path, summary: Summary) -> None:
    """Save it, which marks the run as finished."""
    entry = vars(summary)
    with writing(folder / SUMMARY) as path:
        write_whole(path, (json.dumps(entry, ensure_ascii=False, indent=2) + "\n").encode())


def read_summary(folder: Path) -> Summary | None:
    """The saved summary; None if there is none, or none that can be read."""
    try:
        entry = read_json((folder / SUMMARY).read_bytes())
        said, question = tuple(map(str, entry["sentences"])), entry.get("question")
        asked = None if question is None else str(question)
        return Summary(int(entry["step"]), said, asked, bool(entry.get("tested", True)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def finished_already(folder: Path, settings: AnySettings, corpus: Corpus | None) -> str | None:
    """The message for a run with nothing left to do; None otherwise."""
    summary, found = read_summary(folder), newest(folder / CHECKPOINTS, mend=False)
    if summary is None or found is None:
        return None
    try:
        state = state_in(found)
    except ValueError:
        return None
    train = settings.train
    by_patience = state.finished and train.patience_is_spent(
        evaluations=state.evaluations_without_improvement, updates=state.step - state.best_step
    )
    spent = train.spent(epochs=state.epoch, steps=state.step, seconds=state.seconds)
    if summary.step != state.step or (spent < 1 and not by_patience):
        return None
    try:
        read_about(folder / BEST)
    except (OSError, ValueError):
        return None
    said = [f"{folder} is finished already; nothing was trained now.", *summary.told(folder)]
    if same_data(folder, corpus):
        said.append("The data is the same.")
    return "\n".join([*said, longer(folder, train, state, by_patience)])


def other_data(folder: Path, corpus: Corpus, path: str) -> str | None:
    """The user's options if the data has changed since training; None if it has not."""
    begun = (folder / CHECKPOINTS).is_dir() or (folder / BEST).exists()
    if not begun or same_data(folder, corpus) in (None, True):
        return None
    copy = "--data-as-trained goes on with the old copy, " if has_rows(folder / TOKENS) else ""
    return (
        f"{path} has changed since the run in {folder} began to learn from it; {copy}--resume "
        f"never or another --out begins a new run, and --from {folder} a new one with its weights"
    )


def same_data(folder: Path, corpus: Corpus | None) -> bool | None:
    """Whether the data is what the run was trained on; None where that is not known.

    Its files may have other names by now; then the contents are compared.
    """
    before = trained_on(folder) if corpus is not None else None
    if corpus is None or before is None or before == corpus.fingerprint:
        return None if corpus is None or before is None else True
    try:
        named = str(entries_in(folder)["data"]["path"])
    except (OSError, ValueError, KeyError):
        return False
    names = [named] if len(corpus.files) == 1 else named.split("\n")
    if len(names) != len(corpus.files):
        return False
    pairs = zip(corpus.files, names, strict=True)
    return before == fingerprint(replace(file, path=Path(name)) for file, name in pairs)
