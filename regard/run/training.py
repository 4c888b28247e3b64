"""Carrying a training out: its folder, its task, the loop, and what is said meanwhile."""

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
from regard.models import MODELS
from regard.run.display import Display, metrics_line
from regard.run.folder import (
    CACHE,
    CONFIG,
    attention_of,
    claimed,
    folder_of,
    newest_of,
    read_before,
    require_place,
    resume_from,
    settings_in,
    write_about,
)
from regard.run.merging import ALIASES, Request, seconds_in, settings_for
from regard.run.page import PAGE, RunPage
from regard.run.preparing import TOKENS, task_of
from regard.run.recipes import recipe
from regard.run.settings import BUDGETS, AnySettings, OwnSettings, Settings
from regard.tasks import TASKS
from regard.tasks.task import Task
from regard.training.checkpoint import Checkpoint
from regard.training.config import TrainConfig
from regard.training.hooks import TrainerHooks
from regard.training.lock import NAME as LOCK
from regard.training.lock import locked
from regard.training.loop import Trainer
from regard.training.ranks import Ranks, join, leave
from regard.training.run_folder import BEST, CHECKPOINTS
from regard.training.signals import graceful


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is carried out, which changes nothing that it learns.

    Args:
        shard: spread the weights over the processes (FSDP2) instead of copying them.
        workers: processes that prepare batches, for each that trains.
        timeout: seconds to wait for a lost process.
        progress: say how it goes; True also in a notebook.
        num_answers: answers that are searched in the last evaluation, on test data.
    """

    shard: bool = False
    workers: int = 0
    timeout: float = 60.0
    progress: bool = True
    num_answers: int = 4


@dataclass(frozen=True)
class Job:
    """What is to be trained, where, and how often that was begun before.

    Args:
        make: the task, whose data is prepared and whose network is new.
        corpus: the data, None where the task has or makes its own.
    """

    folder: Path
    settings: AnySettings
    resume: str
    corpus: Corpus | None
    make: Callable[[], Task]


def of_request(request: Request, out: str | Path | None, resume: str, ranks: Ranks) -> Job:
    """The job that was asked for; the main process makes its folder, the others follow."""

    def settled(folder: Path | None) -> tuple[Path, Settings, Corpus | None]:
        place = folder or _named_folder(request, out, resume)
        if folder is None:
            require_place(place)
        read_as = read_before(place) if resume == "auto" else []
        told = replace(request, given=(*read_as, *request.given))
        settings, corpus = settings_for(told, place.parent / CACHE)
        return (place if folder else claimed(place, settings, resume)), settings, corpus

    folder, settings, corpus = _first_then_others(ranks, settled)
    return Job(folder, settings, resume, corpus, lambda: task_of(settings, corpus, folder, ranks))


def of_task(
    task: Task, out: str | Path | None, resume: str, given: Mapping[str, Any], ranks: Ranks
) -> Job:
    """The job of a task that is there already."""
    settings = _settings_of_task(task, given)
    name = f"{task.name}-{type(task.model).__name__.lower()}"

    def settled(folder: Path | None) -> tuple[Path, Any, None]:
        if folder is not None:
            return folder, settings, None
        place = folder_of(Path(out) if out else None, resume, name, None)
        require_place(place)
        return claimed(place, settings, resume), settings, None

    folder, settings, _ = _first_then_others(ranks, settled)
    return Job(folder, settings, resume, None, lambda: task)


def carry_out(job: Job, options: Options, ranks: Ranks, console: Console) -> tuple[int | None, Any]:
    """Train and evaluate on the test data.

    Returns the signal that ended it early, or None, and the network that was trained.
    """
    folder, settings = job.folder, job.settings
    with locked(folder) if ranks.is_main else graceful(), graceful() as signals:
        found = newest_of(folder, job.resume, ranks, console.print)
        if job.corpus is not None:
            console.print(job.corpus.description)
        with _new_or_not_at_all(folder, ranks):
            task = job.make()
        if ranks.is_main:
            write_about(folder, settings, task, job.corpus, ranks)
        console.print(_introduction(task, settings, folder))
        signal = _train(task, job, options, ranks, console, found, lambda: signals.number)
    return signal, task.model


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
        hooks = TrainerHooks(
            stop_requested=stop_requested,
            check=lambda: _check(job.corpus),
            on_report=display.show,
            on_evaluation=page.on_evaluation,
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
    shown = f"On test data: {metrics_line(scores)}." if scores else "There is no test data."
    console.print(f"{shown}\nThe run is in {folder}, its page is {folder / PAGE}.")
    return None


@contextmanager
def processes(timeout: float) -> Iterator[Ranks]:
    """The processes that train together, until this one is done.

    Raises `UsageError` for an environment that is not torchrun's.
    """
    try:
        ranks = join(timeout)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        yield ranks
    finally:
        leave()


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


def run_settings(folder: Path) -> Any:
    """The sections of a run's settings; raises `UsageError` when the folder has none."""
    if not (folder / CONFIG).is_file():
        raise UsageError(
            f"there is no run in {folder}, its {CONFIG} is missing; resume=auto, never, or the "
            "folder of a run (--resume)"
        )
    settings = settings_in(folder)
    if settings.model_name not in MODELS:
        raise UsageError(
            f"{folder} trains a network of your own, {settings.model_name}: resume it in Python, "
            f"with regard.train(task=..., resume={str(folder)!r})"
        )
    return settings.entries()


def _named_folder(request: Request, out: str | Path | None, resume: str) -> Path:
    """Where a run goes that was asked for."""
    path = request.value("data", "path")
    if path is None:
        path = recipe(request.recipe).get("data", {}).get("path", "") if request.recipe else ""
    name = request.recipe or request.named("model")
    return folder_of(Path(out) if out else None, resume, str(path), name)


def _settings_of_task(task: Task, given: Mapping[str, Any]) -> OwnSettings:
    """The settings of training a task, over those of its usual recipe if it is one of ours."""
    usual = dict(recipe(task.name)["train"]) if task.name in TASKS else {}
    known = ((ALIASES.get(key, key), value) for key, value in given.items() if value is not None)
    own = {key.removeprefix("train."): value for key, value in known}
    if "minutes" in own:
        own["seconds"] = seconds_in(own.pop("minutes"))
    if set(BUDGETS) & own.keys():
        usual = {key: value for key, value in usual.items() if key not in BUDGETS}
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


def _introduction(task: Task, settings: AnySettings, folder: Path) -> str:
    train = settings.train
    budget = ", ".join(
        f"{value:g} {name}" for name in BUDGETS if (value := getattr(train, name)) is not None
    )
    count = sum(p.numel() for p in task.model.parameters())
    attention = attention_of(task.model)
    about = f", {attention}" if attention else ""
    return (
        f"Learning {task.name} with {settings.model_name} ({count:,} parameters{about}) for "
        f"{budget}.\nThe run is kept in {folder}; Ctrl-C ends it early and saves."
    )
