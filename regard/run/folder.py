"""A run's folder: created, or that of a run with exactly these settings."""

import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from regard._io.faults import reason, writing
from regard._io.files import write_whole
from regard._io.leftovers import remove_leftovers, temporary_name
from regard.data.reading.corpus import Corpus
from regard.data.reading.text_encoding import AUTO
from regard.errors import UsageError
from regard.models.attention import Parts
from regard.run.ending import SUMMARY, same_data
from regard.run.preparing import GENERATED
from regard.run.saved_settings import CONFIG, entries_in
from regard.run.settings import (
    BUDGETS,
    ROLES,
    AnySettings,
    differences,
    read_toml,
)
from regard.tasks.task import Task
from regard.training.checkpoint import Checkpoint, newest
from regard.training.checkpoint_content import UnusableCheckpoint, state_in
from regard.training.checkpoint_folder import set_aside
from regard.training.lock import NAME as LOCK
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, CHECKPOINTS, ENVIRONMENT, RUNS, new_run_folder
from regard.training.run_writer import require_best
from regard.training.swapped_folder import settle

CACHE = ".data"
"""The data cache, next to the runs that use it."""
MOST_NAMED = 4
"""How many differing settings a message lists."""
FAILED = "failed"
"""What the main process sends instead of a step."""
CHANGEABLE = ("max_skips", "save_every_minutes", "patience", "patience_steps")
"""Settings that a resumed run may change: past updates do not depend on them."""


def folder_of(out: Path | None, resume: str, path: str, recipe: str | None) -> Path:
    """The folder of a run: as given, or `runs/NAME` after its data and its recipe.

    Raises `UsageError` for two folders.
    """
    if resume not in ("auto", "never"):
        if out is not None and out.resolve() != Path(resume).resolve():
            raise UsageError(f"the run is in {resume} and cannot be in {out} too: leave --out out")
        return Path(resume)
    if out is not None:
        return out
    stem = Path(path.split(":")[-1]).resolve().stem if path else "dates"
    return Path(RUNS) / (stem if recipe in (None, stem) else f"{stem}-{recipe}")


def require_place(folder: Path) -> None:
    """Raise `UsageError` unless the run's folder can be created; leaves nothing behind."""
    place = next(above for above in folder.absolute().parents if above.exists())
    try:
        remove_leftovers(place)
        (place / temporary_name("place")).mkdir()
        (place / temporary_name("place")).rmdir()
    except OSError as error:
        raise UsageError(
            f"the run's folder (--out {folder}) cannot be made in {place}: {reason(error)}"
        ) from None


def claimed(folder: Path, settings: AnySettings, resume: str, corpus: Corpus | None = None) -> Path:
    """The folder, created, or that of a run with exactly these settings."""
    if folder.name in ("", ".."):
        raise UsageError(
            f"the run's folder (--out {folder}) cannot be made: it has no name of its own; give "
            f"one, such as {folder / 'run'}"
        )
    try:
        if resume == "never":
            folder = new_run_folder(folder)
        elif (folder / CONFIG).exists():
            _require_same(folder, settings, resume, corpus)
        elif folder.exists() and not _only_begun(folder):
            raise UsageError(
                f"{folder} exists and is no run; give another folder (--out) or --resume never"
            )
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / CONFIG).exists():
            write_whole(folder / CONFIG, settings.toml().encode())
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the run's folder (--out {folder}) cannot be made: {reason(error)}"
        ) from None
    return folder


def _only_begun(folder: Path) -> bool:
    """Whether there is nothing but what a start leaves that was killed before it was a run."""
    names = [path.name for path in folder.iterdir()]
    return all(name == LOCK or name.startswith(f".{CONFIG}.") for name in names)


def _require_same(folder: Path, settings: AnySettings, resume: str, corpus: Corpus | None) -> None:
    """Raise `UsageError` for settings that are not those of the run, but for what may change."""
    old = entries_in(folder)
    _forget_unsaid(old, now := settings.entries())
    _forget_spelling(old.get("data", {}), now.get("data", {}))
    if corpus is not None and corpus.files and same_data(folder, corpus):
        # It was moved, or is a copy: what it holds is what counts.
        now["data"]["path"] = old["data"]["path"]
    free = set(CHANGEABLE)
    if resume != "auto":
        # Who names the run may give it a longer budget; whoever did not may have meant another run.
        free |= {*BUDGETS, "least_steps"}
    elif "least_steps" not in read_toml(folder / CONFIG).get("train", {}):
        # Version 0.1 knew no such setting.
        free.add("least_steps")
    kept = {name: value for name, value in old["train"].items() if name not in free}
    given = {name: value for name, value in now["train"].items() if name not in free}
    changed = differences({**old, "train": kept}, {**now, "train": given})
    if not changed:
        if old["train"] != now["train"]:
            _require_unspent(folder, settings)
        return
    longer = _or_longer(folder, changed, old["train"], now["train"])
    more = len(changed) - MOST_NAMED
    if more > 0:
        changed = [*changed[:MOST_NAMED], f"and {more} more"]
    raise UsageError(
        f"{folder} has a run with other settings: {'; '.join(changed)}; {longer}give the old "
        "values to resume it, another folder (--out), or --resume never for a new run"
    )


def _forget_unsaid(old: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> None:
    """Leave out of both what an older version did not write down of the data."""
    was, given = old.get("data", {}), now.get("data", {})
    for role in ROLES:
        if not was.get(role):
            was.pop(role, None)
            given.pop(role, None)
    if {was.get("encoding"), given.get("encoding")} == {"utf-8", AUTO}:
        given["encoding"] = was["encoding"]


def _forget_spelling(was: dict[str, Any], given: dict[str, Any]) -> None:
    """Give a path that is written in another way, such as `./reviews.csv`, as the run has it."""
    paths = [str(data.get("path", "")) for data in (was, given)]
    # What is read is compared by its contents, so that only the place is a matter here.
    if all(paths) and len({os.path.abspath(path) for path in paths}) == 1:
        given["path"] = was["path"]


def _or_longer(
    folder: Path, changed: Sequence[str], was: Mapping[str, Any], now: Mapping[str, Any]
) -> str:
    """How a run is trained longer, where a larger budget is all that differs."""
    raised = [name for name in BUDGETS if (was.get(name) or math.inf) < (now.get(name) or 0)]
    if len(changed) != 1 or not raised or not changed[0].startswith(f"train.{raised[0]} "):
        return ""
    value = now[raised[0]] / 60 if raised == ["seconds"] else now[raised[0]]
    option = f"--{'minutes' if raised == ['seconds'] else raised[0]} {value:.15g}"
    return f"to train it longer, say --resume {quote(str(folder))} {option}; "


def _require_unspent(folder: Path, settings: AnySettings) -> None:
    """Raise `UsageError` for a new budget of less than the run has trained already."""
    found = newest(folder / CHECKPOINTS, mend=False)
    if found is None:
        return
    try:
        state = state_in(found)
    except UnusableCheckpoint:
        return  # It will be passed over.
    for name, done in (("epochs", state.epoch), ("steps", state.step), ("seconds", state.seconds)):
        budget = getattr(settings.train, name)
        if budget is not None and budget < done:
            raise UsageError(
                f"{folder} has trained {done:g} {name} and is to train {budget:g} altogether; "
                f"give more {name}"
            )


def newest_of(
    folder: Path, resume: str, ranks: Ranks, say: Callable[[str], Any]
) -> Checkpoint | None:
    """The checkpoint to resume from, the same for all processes."""
    found = None
    if ranks.is_main:
        try:
            remove_leftovers(folder)
            settle(folder / BEST)
            require_best(folder)
        except UsageError:
            ranks.broadcast(FAILED)
            raise
        found = newest(folder / CHECKPOINTS)
    step = ranks.broadcast(str(found.step) if found else "")
    if step == FAILED:
        raise SystemExit(2)  # The main process says what is wrong.
    if not ranks.is_main:
        found = newest(folder / CHECKPOINTS, mend=False) if step else None
    for sentence in found.skipped if found else []:
        say(f"passed over: {sentence}")
    if found is None:
        _require_nothing_lost(folder, resume)
    return found


def resume_from(
    found: Checkpoint | None,
    trainer: Trainer,
    resume: str,
    ranks: Ranks,
    say: Callable[[str], Any],
) -> None:
    """Resume from a checkpoint, or from an earlier one if that is not of this run.

    What is not of this run is set aside only once it is known where training begins: where nothing
    can be resumed from, the settings may be what is wrong, and the checkpoints right.
    """
    folder = trainer.folder
    other: list[tuple[Path, UnusableCheckpoint]] = []
    while found is not None:
        try:
            trainer.resume(found)
            break
        except UnusableCheckpoint as error:
            ranks.broadcast()  # The others have read it too.
            other.append((found.path, error))
        found = newest(folder / CHECKPOINTS, mend=False, below=found.step)
    if found is None and other:
        _require_nothing_lost(folder, resume, other[0][1])
    if ranks.is_main:
        for path, why in other:
            say(f"passed over: {why}; it is now {set_aside(path).name}")
    ranks.broadcast()


def _require_nothing_lost(folder: Path, resume: str, error: Exception | None = None) -> None:
    """Begin at step 0 only where nothing is left that a new beginning would write over."""
    damaged = sorted(path.name for path in (folder / CHECKPOINTS).glob("step-*"))
    # Of a run that was killed early there may be a network and no checkpoint yet.
    trained = (folder / BEST).exists() and (damaged or (folder / SUMMARY).exists())
    if resume not in ("auto", "never") or trained:
        seen = f" ({', '.join(damaged)} damaged)" if damaged else ""
        raise UsageError(
            f"{folder} has no valid checkpoint{seen}; to begin anew beside it, say --resume never"
            if error is None
            else f"{folder} has no checkpoint that its settings can resume: {error}; if {CONFIG} "
            "was changed since, change it back; to begin anew beside it, say --resume never"
        )


def write_about(
    folder: Path, settings: AnySettings, task: Task, corpus: Corpus | None, ranks: Ranks
) -> None:
    """Write the description of the run, which a longer budget may have changed, and its machine."""
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
        "model": settings.model_name,
        "attention": attention_of(task.model),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "data": corpus.fingerprint if corpus else GENERATED,
    }
    with writing(folder):
        write_whole(folder / CONFIG, settings.toml().encode())
        write_whole(folder / ENVIRONMENT, (json.dumps(environment, indent=2) + "\n").encode())


def attention_of(model: Any) -> str:
    """A short description of a network's attention, from its configuration."""
    config = getattr(model, "config", None)
    said: Sequence[str] = ("attention", "pooling", "word_pooling", "sentence_pooling", "hops")
    found = []
    for name in said:
        value = getattr(config, name, None)
        if value is not None:
            found.append(f"{name.replace('_', ' ')} {_said(value)}")
    return ", ".join(found)


def _said(value: Any) -> str:
    """A choice as text: a part of several kinds by its spelling, plain parts by their names."""
    if type(value) is Parts:
        parts = (value.score, value.score_mod, value.mask, value.normalizer)
        return ", ".join(part for part in parts if part is not None)
    return value.spelled() if hasattr(value, "spelled") else str(value)
