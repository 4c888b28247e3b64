"""Executing a training run: its folder, its task, the loop, and what is reported meanwhile."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from regard.config import fields_of
from regard.data.reading.corpus import Corpus
from regard.errors import RegardError, UsageError
from regard.run.corpora import UnreadData
from regard.run.display import Display
from regard.run.ending import finished_already, other_data, summary_of, write_summary
from regard.run.fine_tuning import Published
from regard.run.folder import (
    CACHE,
    attention_of,
    claimed,
    folder_of,
    newest_of,
    require_place,
    resume_from,
    write_about,
)
from regard.run.kept_data import has_rows, kept_corpus
from regard.run.merging import settings_for
from regard.run.page import RunPage
from regard.run.preparing import TOKENS, task_of
from regard.run.recipes import recipe
from regard.run.request import ALIASES, Request
from regard.run.saved_settings import CONFIG, read_before, settings_in
from regard.run.setting_names import seconds_in
from regard.run.settings import BUDGETS, ENDINGS, AnySettings, OwnSettings, Settings, flat
from regard.run.sizes import size_asked
from regard.run.sizes import told as size_told
from regard.run.starting import Origin, begin_with, origin_of
from regard.run.telling import budget_for, too_long_for
from regard.tasks import TASKS, task_class
from regard.tasks.task import Task
from regard.training.checkpoint import Checkpoint
from regard.training.config import TrainConfig
from regard.training.hooks import Evaluation, TrainerHooks
from regard.training.lock import NAME as LOCK
from regard.training.lock import locked
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, CHECKPOINTS
from regard.training.signals import graceful


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is executed; nothing here changes what it learns.

    Args:
        shard: shard the weights over the processes (FSDP2) instead of replicating them.
        workers: data-loading processes per training process.
        timeout: seconds to wait for a lost process.
        progress: print the progress; True also in a notebook.
        num_answers: answers to search in the final evaluation, on test data.
        data_as_trained: resume with the copy of the data that the run started with, even if the
            data has changed.
    """

    shard: bool = False
    workers: int = 0
    timeout: float = 60.0
    progress: bool = True
    num_answers: int = 4
    data_as_trained: bool = False


@dataclass(frozen=True)
class Job:
    """What to train, where, and how often it was started before.

    Args:
        make: builds the task, with prepared data and a new network, and with the tokens of what it
            starts from, if anything.
        task: an existing task.
        told: what else to report before training, if anything.
        corpus: the data, None if the task has or generates its own.
    """

    folder: Path
    settings: AnySettings
    resume: str
    corpus: Corpus | None
    make: Callable[[Origin | Published | None], Task]
    task: Task | None = None
    told: str = ""


def of_request(
    request: Request, out: str | Path | None, resume: str, ranks: Ranks, as_trained: bool = False
) -> Job:
    """The requested job; the main process creates its folder, the others follow."""

    def settled(folder: Path | None) -> tuple[Path, Settings, Corpus | None]:
        place = folder or _named_folder(request, out, resume)
        if folder is None:
            require_place(place)
        read_as = read_before(place) if resume == "auto" else []
        told = replace(request, given=(*read_as, *request.given))
        kept = _kept(place, resume) if as_trained else None
        try:
            settings, corpus = settings_for(told, place.parent / CACHE, kept=kept)
        except UnreadData as error:
            if kept is None and resume not in ("auto", "never") and has_rows(place / TOKENS):
                raise UsageError(
                    f"{error}; --data-as-trained goes on with the copy that the run in {place} has"
                ) from None
            raise
        return (place if folder else claimed(place, settings, resume, corpus)), settings, corpus

    folder, settings, corpus = _first_then_others(ranks, settled)
    size = size_asked(request.given)
    return Job(
        folder,
        settings,
        resume,
        corpus,
        lambda origin: task_of(settings, corpus, folder, ranks, origin),
        told="" if size is None else size_told(size, settings.entries()),
    )


def of_task(
    task: Task, out: str | Path | None, resume: str, given: Mapping[str, Any], ranks: Ranks
) -> Job:
    """The job of an existing task."""
    settings = _settings_of_task(task, given)
    name = f"{task.name}-{type(task.model).__name__.lower()}"

    def settled(folder: Path | None) -> tuple[Path, Any, None]:
        if folder is not None:
            return folder, settings, None
        place = folder_of(Path(out) if out else None, resume, name, None)
        require_place(place)
        return claimed(place, settings, resume), settings, None

    folder, settings, _ = _first_then_others(ranks, settled)
    return Job(folder, settings, resume, None, lambda origin: task, task)


def carry_out(job: Job, options: Options, ranks: Ranks, console: Console) -> tuple[int | None, Any]:
    """Train and evaluate on the test data.

    Returns the signal that ended it early, or None, and the trained network. A finished run is
    left as it is; for a task of the user's own, its weights are loaded when requested.

    Raises `UsageError` when the data is not what the run was trained on.
    """
    folder, settings = job.folder, job.settings
    if job.corpus is not None:
        path = settings.entries()["data"]["path"]
        other = other_data(folder, job.corpus, path) if ranks.is_main else None
        if other := ranks.broadcast(other or ""):
            raise UsageError(other) if ranks.is_main else SystemExit(2)
    told = finished_already(folder, settings, job.corpus) if ranks.is_main else None
    if told := ranks.broadcast(told or ""):
        console.print(told)
        return None, _network_of(job)
    with locked(folder) if ranks.is_main else graceful(), graceful() as signals:
        found = newest_of(folder, job.resume, ranks, console.print)
        if job.corpus is not None:
            console.print(job.corpus.description)
        with _new_or_not_at_all(folder, ranks):
            start = settings.train.start if found is None else None
            origin = origin_of(start) if start else None
            task = job.make(origin)
            begun: list[str] = []
            if origin is not None and isinstance(settings, Settings):
                begun = begin_with(origin, task, settings)
        if ranks.is_main:
            write_about(folder, settings, task, job.corpus, ranks)
        for note in (*task.notes(), *(() if settings.train.start else task.token_notes())):
            console.print(note)
        for sentence in (
            *filter(None, [job.told]),
            *_introduction(task, settings, folder, ranks),
            *begun,
        ):
            console.print(sentence)
        signal = _train(task, job, options, ranks, console, found, lambda: signals.number)
    return signal, task.model


def _network_of(job: Job) -> Any:
    """The network of a finished run, new, where it is the user's own or has such parts."""
    if job.task is not None:
        return job.task.model
    own = any(key.endswith(".own") for key in flat(job.settings.entries()))
    return job.make(None).model if own else None


def _train(
    task: Task,
    job: Job,
    options: Options,
    ranks: Ranks,
    console: Console,
    found: Checkpoint | None,
    stop_requested: Callable[[], int | None],
) -> int | None:
    """Train to the end or to a signal, which is returned; then evaluate on the test data."""
    folder, settings = job.folder, job.settings
    with Display(console) as display, within_memory(settings, folder), ranks.raising_lost_rank():
        page = RunPage(task, folder)

        def evaluated(evaluation: Evaluation) -> None:
            display.evaluated(evaluation)
            page.on_evaluation(evaluation)

        hooks = TrainerHooks(
            stop_requested=stop_requested,
            check=lambda: _check(job.corpus),
            on_report=display.show,
            on_evaluation=evaluated,
        )
        try:
            trainer = Trainer(
                task,
                settings.train,
                folder,
                ranks,
                shard=options.shard,
                workers=options.workers,
                hooks=hooks,
            )
            resume_from(found, trainer, job.resume, ranks, console.print)
        except ValueError as error:
            raise UsageError(str(error)) from error
        signal = trainer.train()
    if signal is not None:
        console.print(
            f"Interrupted at step {trainer.state.step}; saved in {folder}.\n"
            f"Resume it with: regard train --resume {folder}"
        )
        return signal
    with within_memory(settings, folder), ranks.raising_lost_rank():
        scores = trainer.test(options.num_answers)
    if ranks.is_main:
        summary = summary_of(folder, task, settings, trainer.state, scores, job.corpus)
        write_summary(folder, summary)
        console.print("\n".join(summary.told(folder)))
    return None


def _first_then_others(ranks: Ranks, settled: Callable[[Path | None], Any]) -> Any:
    """What the main process settles, which tells the others the folder or that it failed."""
    if ranks.is_main:
        try:
            found = settled(None)
        except BaseException:
            ranks.broadcast("")
            raise
        ranks.broadcast(str(found[0]))
        return found
    said = ranks.broadcast()
    if not said:
        # The main process says what is wrong.
        raise SystemExit(2)
    return settled(Path(said))


def _named_folder(request: Request, out: str | Path | None, resume: str) -> Path:
    """Where a run goes that was asked for."""
    path = request.value("data", "path")
    start = request.value("train", "start")
    if path is None and start is not None and not request.resumes:
        path = origin_of(str(start)).sections["data"].get("path", "")
    if path is None:
        path = recipe(request.recipe).get("data", {}).get("path", "") if request.recipe else ""
    name = request.recipe or request.named("model")
    if start is not None:
        begun = Path(str(start)).resolve()
        name = f"from-{begun.parent.name if begun.name == BEST else begun.name}"
    return folder_of(Path(out) if out else None, resume, str(path), name)


def _settings_of_task(task: Task, given: Mapping[str, Any]) -> OwnSettings:
    """The settings of training a task, over those of its usual recipe if it is one of ours."""
    usual = dict(recipe(task.name)["train"]) if task.name in TASKS else {}
    known = ((ALIASES.get(key, key), value) for key, value in given.items() if value is not None)
    own = {key.removeprefix("train."): value for key, value in known}
    if "minutes" in own:
        own["seconds"] = seconds_in(own.pop("minutes"))
    if set(BUDGETS) & own.keys():
        usual = {k: v for k, v in usual.items() if k not in (*BUDGETS, *ENDINGS)}
    if own.get("start") is not None:
        raise UsageError(
            "a Task object has its network: read the weights into that (load_state_dict), and "
            "leave start out"
        )
    for key in own:
        if key not in fields_of(TrainConfig):
            raise UsageError(f"{key} is no setting of training; the task has its own settings")
    try:
        return OwnSettings(task, TrainConfig.from_entries({**usual, **own}))
    except (ValueError, TypeError) as error:
        raise UsageError(f"[train] {error}") from None


@contextmanager
def _new_or_not_at_all(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Take back a folder that was made for settings or data that nothing can be learned from.

    Raises `UsageError`.
    """
    try:
        yield
    except (ValueError, ImportError) as error:
        if ranks.is_main and not (folder / CHECKPOINTS).exists() and not (folder / BEST).exists():
            shutil.rmtree(folder / TOKENS, ignore_errors=True)
            for name in (CONFIG, LOCK):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        raise UsageError(str(error)) from error


def _check(corpus: Corpus | None) -> None:
    """Raise `RegardError` when the data changed since it was read."""
    try:
        if corpus is not None:
            corpus.check()
    except ValueError as error:
        raise RegardError(str(error)) from error


@contextmanager
def within_memory(settings: AnySettings, folder: Path) -> Iterator[None]:
    """Say what to lower when memory runs out; raises `RegardError` with it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and not any(
            sign in text for sign in ("can't allocate memory", "not enough memory")
        ):
            raise
        task = settings.entries()["task"]
        size = next((f"task.{k} (now {v})" for k, v in task.items() if k.startswith("batch")), "")
        raise RegardError(
            f"memory ran out; lower {size or 'the batch'} or the model's sizes, or set "
            f"recompute=true, in a new run (--out); what was saved in {folder} is whole"
        ) from error


def _kept(folder: Path, resume: str) -> Corpus:
    """The data that a run began with; raises `UsageError` where there is no run, or no copy."""
    if resume == "never" or not (folder / CONFIG).is_file():
        raise UsageError(
            f"--data-as-trained is for a run that was begun, and there is none in {folder}; leave "
            "it out, or name the run (--resume)"
        )
    schema = task_class(settings_in(folder).task_name).schema
    if schema is None:
        raise UsageError(f"the run in {folder} makes its own data; leave --data-as-trained out")
    return kept_corpus(folder / TOKENS, schema)


def _introduction(task: Task, settings: AnySettings, folder: Path, ranks: Ranks) -> list[str]:
    """What is said before training: what is learned, how long, where, and what is not read."""
    train = settings.train
    count = sum(p.numel() for p in task.model.parameters())
    attention = attention_of(task.model)
    about = f", {attention}" if attention else ""
    return [
        *(f"{sentence}." for sentence in too_long_for(task)),
        f"Learning {task.name} with {settings.model_name} ({count:,} parameters{about}) for "
        f"{budget_for(task, train, max(train.accumulate, ranks.world))}.",
        f"The run is kept in {folder}; Ctrl-C ends it early and saves.",
    ]
