"""`regard train`: from a file to a model."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import torch
from rich.console import Console

from regard.cli.layering import BUDGETS, CONFIG, decided_by_data, layers_of
from regard.cli.mistake import Mistake
from regard.cli.opening import describe, newest_of, opened
from regard.cli.preparation import TOKENS, head, prepare, stream, task_of
from regard.cli.recipes import Table
from regard.cli.settings import Settings
from regard.data.reading.corpus import Corpus
from regard.errors import RegardError
from regard.tasks.task import Task
from regard.train.checkpoint import Checkpoint
from regard.train.display import Display, Screen, named
from regard.train.launch import launch
from regard.train.lock import NAME as LOCK
from regard.train.lock import locked
from regard.train.loop import Trainer
from regard.train.ranks import LostRank, Ranks, join, leave
from regard.train.run_folder import BEST, CHECKPOINTS
from regard.train.signals import graceful


def run(
    recipe: str | None,
    given: Table,
    config: Path | None,
    assignments: Sequence[str],
    out: Path | None,
    resume: str,
    devices: int,
    shard: bool,
    workers: int,
    threads: int | None,
    timeout: float,
    dry_run: bool,
) -> int:
    """Train, alone or with other processes; returns the exit code."""
    if devices > 1 and "RANK" not in os.environ:
        return launch(devices, sys.argv[1:])
    if threads:
        torch.set_num_threads(threads)
    if workers > (cores := os.cpu_count() or 1):
        raise Mistake(f"--workers {workers} are more than the {cores} cores of this machine")
    layers = layers_of(recipe, given, config, assignments, resume)
    if dry_run:
        settings, corpus = decided_by_data(layers, None)
        print(corpus.says if corpus else f"read as dates: {_languages(settings)}")
        return 0
    console = Screen(highlight=False, markup=False, soft_wrap=True)
    ranks = join(timeout)
    try:
        if not ranks.speaks:
            console.quiet = True
        return _train(layers, recipe, out, resume, ranks, shard, workers, console)
    except LostRank as error:
        _leave_the_lost(error)
    finally:
        leave()


def _leave_the_lost(error: LostRank) -> NoReturn:
    """End this process here and now, with the reason.

    What holds the connections cannot be taken down in order: it would wait for the lost process,
    and whoever started us all would wait for this one.
    """
    print(f"regard: {error}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _train(
    layers: Sequence[Table],
    recipe: str | None,
    out: Path | None,
    resume: str,
    ranks: Ranks,
    shard: bool,
    workers: int,
    console: Console,
) -> int:
    folder, settings, corpus = opened(layers, recipe, out, resume, ranks)
    with locked(folder) if ranks.speaks else graceful(), graceful() as signals:
        found = newest_of(folder, resume, ranks, console)
        if corpus is not None:
            console.print(corpus.says)
        with _new_or_not_at_all(folder, ranks):
            task = _task(settings, corpus, folder, ranks)
        if ranks.speaks:
            describe(folder, settings, task, corpus, ranks)
        return train_task(
            task,
            settings,
            folder,
            ranks,
            console,
            signals,
            found,
            shard=shard,
            workers=workers,
            check=lambda: _check(corpus),
        )


def _task(settings: Settings, corpus: Corpus | None, folder: Path, ranks: Ranks) -> Task:
    """What is to be learned, its data prepared and its network new."""
    if corpus is None:
        return task_of(settings, None, folder)
    known = head(corpus) if settings.data.streaming else corpus
    prepare(settings, known, folder, ranks)
    task = task_of(settings, known, folder)
    if settings.data.streaming:
        stream(task, corpus, settings, ranks)
    return task


@contextmanager
def _new_or_not_at_all(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Take back a folder that was made for settings or data that nothing can be learned from.

    Raises `Mistake`.
    """
    try:
        yield
    except (ValueError, ImportError, Mistake) as error:
        if ranks.speaks and not (folder / CHECKPOINTS).exists() and not (folder / BEST).exists():
            shutil.rmtree(folder / TOKENS, ignore_errors=True)
            for name in (CONFIG, LOCK):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        raise Mistake(str(error)) from error


def train_task(
    task: Task,
    settings: Settings,
    folder: Path,
    ranks: Ranks,
    console: Console,
    signals: Any,
    found: Checkpoint | None = None,
    *,
    shard: bool = False,
    workers: int = 0,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Train, examine on the test data, say where everything is; returns the exit code."""
    console.print(_introduction(task, settings, folder))
    with Display(console) as display, within_memory(settings, folder), ranks.together():
        try:
            trainer = Trainer(
                task,
                settings.train,
                folder,
                ranks,
                shard=shard,
                workers=workers,
                asked=lambda: signals.asked,
                check=check,
                show=display.show,
            )
            if found is not None:
                trainer.resume(found)
        except ValueError as error:
            raise Mistake(str(error)) from error
        signal = trainer.train()
    if signal is not None:
        console.print(
            f"Interrupted at step {trainer.course.step}; saved in {folder}.\n"
            f"Go on with: regard train --resume {folder}"
        )
        return 128 + signal
    with within_memory(settings, folder), ranks.together():
        scores = trainer.test(beams=4)
    shown = f"On test data: {named(scores)}." if scores else "There is no test data."
    console.print(f"{shown}\nThe run is in {folder}, its page is {folder / 'report.html'}.")
    return 0


def _check(corpus: Corpus | None) -> None:
    """Raise `RegardError` when the data changed since it was read."""
    try:
        if corpus is not None:
            corpus.check()
    except ValueError as error:
        raise RegardError(str(error)) from error


@contextmanager
def within_memory(settings: Settings, folder: Path) -> Iterator[None]:
    """Say what to lower when memory runs out; raises `RegardError` with it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and not any(
            sign in text for sign in ("can't allocate memory", "not enough memory")
        ):
            raise
        data = settings.data
        size = f"data.batch_tokens (now {data.batch_tokens})"
        if data.task == "language_model":
            size = f"data.batch_size (now {data.batch_size})"
        raise RegardError(
            f"memory ran out; lower {size} or the model's sizes, or --set recompute=true, in a new "
            f"run (--out); what was saved in {folder} is whole"
        ) from error


def _introduction(task: Task, settings: Settings, folder: Path) -> str:
    train = settings.train
    budget = ", ".join(
        f"{value:g} {name}" for name in BUDGETS if (value := getattr(train, name)) is not None
    )
    count = sum(p.numel() for p in task.predictor.model.parameters())
    return (
        f"Learning {task.name} with {settings.model.name} ({count:,} parameters, "
        f"{settings.model.described()}) for {budget}.\n"
        f"The run is kept in {folder}; Ctrl-C ends it early and saves."
    )


def _languages(settings: Settings) -> str:
    return ", ".join(settings.data.languages) or "every language"
