"""`regard train`: from a file to a model."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from regard._files import write_whole
from regard.cli.mistake import Mistake
from regard.cli.preparation import TOKENS, head, prepare, read_corpus, stream, task_of
from regard.cli.recipes import Table, recipe, recipe_for
from regard.cli.settings import (
    Settings,
    differences,
    read_assignments,
    read_toml,
    settings_of,
)
from regard.data.corpus import Corpus
from regard.errors import RegardError
from regard.tasks.task import Task
from regard.train.checkpoint import Checkpoint, newest
from regard.train.display import Display, Screen, named
from regard.train.launch import launch
from regard.train.lock import NAME as LOCK
from regard.train.lock import locked
from regard.train.loop import Trainer
from regard.train.ranks import Ranks, join, leave
from regard.train.run_folder import BEST, CHECKPOINTS, new_run_folder, settle
from regard.train.signals import graceful

CONFIG, ENVIRONMENT = "config.toml", "environment.json"
CACHE = ".data"
"""Where the data is kept as it was read, beside the runs that use it."""
BUDGETS = ("epochs", "steps", "seconds")
CHANGEABLE = ("max_skips", "save_every_minutes")
"""Settings that a resumed run may have otherwise: no update that is made depends on them."""


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
    layers = _layers(recipe, given, config, assignments, resume)
    if dry_run:
        settings, corpus = _settings(layers, recipe, None)
        print(corpus.says if corpus else f"read as dates: {_languages(settings)}")
        return 0
    console = Screen(highlight=False, markup=False, soft_wrap=True)
    ranks = join(timeout)
    try:
        if not ranks.speaks:
            console.quiet = True
        return _train(layers, recipe, out, resume, ranks, shard, workers, console)
    finally:
        leave()


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
    folder, settings, corpus = _opened(layers, recipe, out, resume, ranks)
    with locked(folder) if ranks.speaks else graceful(), graceful() as signals:
        found = _found(folder, resume, ranks, console)
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


def _layers(
    name: str | None,
    given: Table,
    config: Path | None,
    assignments: Sequence[str],
    resume: str,
) -> list[Table]:
    """Settings in the order in which later ones win."""
    layers = [recipe(name)] if name else []
    if resume not in ("auto", "never"):
        layers.append(read_toml(_run_config(Path(resume))))
    if config is not None:
        layers.append(read_toml(config))
    layers += [_in_seconds(given), read_assignments(assignments)]
    settings_of({"train": {"steps": 1}}, *layers)
    return layers


def _in_seconds(given: Table) -> Table:
    """What was given, its minutes as seconds."""
    train = dict(given.get("train", {}))
    if "minutes" in train:
        train["seconds"] = 60 * train.pop("minutes")
    return {**given, "train": train}


def _settings(
    layers: Sequence[Table], name: str | None, cache: Path | None
) -> tuple[Settings, Corpus | None]:
    """The settings, with what the data itself decides; and the data."""
    asked = settings_of({"train": {"steps": 1}}, *layers)
    if asked.data.task == "dates":
        base = recipe_for("dates", "rnnsearch")
        return settings_of(*_one_budget([base, *layers])), None
    if not asked.data.path:
        raise Mistake("say what to learn from: --data PATH, or the recipe dates, which needs none")
    try:
        corpus = read_corpus(asked, cache)
    except (ValueError, OSError, ImportError) as error:
        raise Mistake(str(error)) from None
    decided: Table = {"data": {"task": corpus.task}}
    if corpus.task == "translate":
        decided["data"] |= {"source": corpus.names[0], "target": corpus.names[1]}
    model = next(
        (layer["model"]["name"] for layer in layers[::-1] if "name" in layer.get("model", {})), None
    )
    base = recipe_for(corpus.task, model)
    if asked.data.streaming and not asked.train.evaluate_every:
        # A stream has no end at which all processes could look.
        decided["train"] = {"evaluate_every": 1000}
    return settings_of(*_one_budget([base, *layers]), decided), corpus


def _one_budget(layers: Sequence[Table]) -> list[Table]:
    """The layers, of whose budgets only those of the last one that has any stay."""
    last = max((i for i, layer in enumerate(layers) if _budgets(layer)), default=-1)
    return [
        layer
        if i >= last
        else {
            section: {k: v for k, v in entries.items() if section != "train" or k not in BUDGETS}
            for section, entries in layer.items()
        }
        for i, layer in enumerate(layers)
    ]


def _budgets(layer: Table) -> set[str]:
    return set(BUDGETS) & layer.get("train", {}).keys()


def _opened(
    layers: Sequence[Table], name: str | None, out: Path | None, resume: str, ranks: Ranks
) -> tuple[Path, Settings, Corpus | None]:
    """The run's folder, settings and data; the first process makes and reads, the others follow."""
    if ranks.speaks:
        try:
            folder = _folder(layers, name, out, resume)
            _require_place(folder)
            settings, corpus = _settings(layers, name, folder.parent / CACHE)
            folder = _claimed(folder, settings, resume)
        except BaseException:
            ranks.told("")
            raise
        ranks.told(str(folder))
        return folder, settings, corpus
    said = ranks.told()
    if not said:
        # The first process says what is wrong.
        raise SystemExit(2)
    folder = Path(said)
    settings, corpus = _settings(layers, name, folder.parent / CACHE)
    return folder, settings, corpus


def _folder(layers: Sequence[Table], name: str | None, out: Path | None, resume: str) -> Path:
    if resume not in ("auto", "never"):
        return Path(resume)
    if out is not None:
        return out
    asked = settings_of({"train": {"steps": 1}}, *layers)
    stem = Path(asked.data.path.split(":")[-1]).resolve().stem if asked.data.path else "dates"
    return Path("runs") / (stem if name in (None, "dates") else f"{stem}-{name}")


def _require_place(folder: Path) -> None:
    """Raise `Mistake` unless a folder can be made where the run is to be; nothing stays there."""
    place = next(above for above in folder.absolute().parents if above.exists())
    try:
        with TemporaryDirectory(dir=place):
            pass
    except OSError as error:
        raise Mistake(f"--out {folder} cannot be made in {place}: {error.strerror}") from None


def _claimed(folder: Path, settings: Settings, resume: str) -> Path:
    """The folder, made or found to belong to a run with these very settings."""
    try:
        if resume == "never":
            folder = new_run_folder(folder)
        elif (folder / CONFIG).exists():
            old = settings_of(read_toml(folder / CONFIG))
            may_change = {name: getattr(settings.train, name) for name in CHANGEABLE}
            old = replace(old, train=replace(old.train, **may_change))
            changed = differences(old, settings)
            if changed:
                raise Mistake(
                    f"{folder} has a run with other settings: {'; '.join(changed)}; give the old "
                    "values to go on, another --out, or --resume never for a new run"
                )
            write_whole(folder / CONFIG, settings.toml().encode())
            return folder
        elif folder.exists() and any(folder.iterdir()):
            raise Mistake(f"{folder} exists and is no run; give another --out or --resume never")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CONFIG, settings.toml().encode())
    except (OSError, ValueError) as error:
        raise Mistake(f"--out {folder} cannot be made: {error}") from None
    return folder


def _found(folder: Path, resume: str, ranks: Ranks, console: Console) -> Checkpoint | None:
    """The checkpoint to go on from, the same for all processes."""
    found = None
    if ranks.speaks:
        settle(folder / BEST)
        found = newest(folder / CHECKPOINTS)
    step = ranks.told(str(found.step) if found else "")
    if not ranks.speaks:
        found = newest(folder / CHECKPOINTS, mend=False) if step else None
    for sentence in found.skipped if found else []:
        console.print(f"passed over: {sentence}")
    if found is None:
        _require_nothing_lost(folder, resume)
    return found


def _require_nothing_lost(folder: Path, resume: str) -> None:
    """Begin at step 0 only where nothing is left that a new beginning would write over."""
    damaged = sorted(path.name for path in (folder / CHECKPOINTS).glob("step-*"))
    if resume not in ("auto", "never") or (damaged and (folder / BEST).exists()):
        seen = f" ({', '.join(damaged)} damaged)" if damaged else ""
        raise Mistake(
            f"{folder} has no checkpoint that is whole{seen}; to begin anew beside it, say "
            "--resume never"
        )


def _run_config(folder: Path) -> Path:
    if not (folder / CONFIG).is_file():
        raise Mistake(
            f"--resume {folder}: there is no run, its {CONFIG} is missing; say auto, "
            "never, or the folder of a run"
        )
    return folder / CONFIG


def describe(
    folder: Path, settings: Settings, task: Task, corpus: Corpus | None, ranks: Ranks
) -> None:
    """Write down where the run takes place."""
    environment = {
        "regard": sys.modules["regard"].__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "processes": ranks.world,
        "device": str(ranks.device),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "task": task.name,
        "model": settings.model.name,
        "attention": f"{settings.model.score}, {settings.model.normalizer}",
        "parameters": sum(p.numel() for p in task.predictor.model.parameters()),
        "data": corpus.fingerprint if corpus else "generated",
    }
    write_whole(folder / ENVIRONMENT, (json.dumps(environment, indent=2) + "\n").encode())


def _introduction(task: Task, settings: Settings, folder: Path) -> str:
    train = settings.train
    budget = ", ".join(
        f"{value:g} {name}" for name in BUDGETS if (value := getattr(train, name)) is not None
    )
    count = sum(p.numel() for p in task.predictor.model.parameters())
    return (
        f"Learning {task.name} with {settings.model.name} ({count:,} parameters, "
        f"{settings.model.score}, {settings.model.normalizer}) for {budget}.\n"
        f"The run is kept in {folder}; Ctrl-C ends it early and saves."
    )


def _languages(settings: Settings) -> str:
    return ", ".join(settings.data.languages) or "every language"
