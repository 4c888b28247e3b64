"""A run's folder: made, or found to belong to a run with these very settings."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console

from regard._io.files import write_whole
from regard.cli.layering import CONFIG, decided_by_data
from regard.cli.mistake import Mistake
from regard.cli.recipes import Table
from regard.cli.settings import Settings, data_of, differences, read_toml, settings_of
from regard.data.reading.corpus import Corpus
from regard.tasks.task import Task
from regard.train.checkpoint import Checkpoint, newest
from regard.train.ranks import Ranks
from regard.train.run_folder import BEST, CHECKPOINTS, new_run_folder, settle

ENVIRONMENT = "environment.json"
CACHE = ".data"
"""Where the data is kept as it was read, beside the runs that use it."""
MOST_NAMED = 4
"""Settings that are named when those of a run are others."""
CHANGEABLE = ("max_skips", "save_every_minutes")
"""Settings that a resumed run may have otherwise: no update that is made depends on them."""


def opened(
    layers: Sequence[Table], name: str | None, out: Path | None, resume: str, ranks: Ranks
) -> tuple[Path, Settings, Corpus | None]:
    """The run's folder, settings and data; the first process makes and reads, the others follow."""
    if ranks.speaks:
        try:
            folder = _folder(layers, name, out, resume)
            _require_place(folder)
            settings, corpus = decided_by_data(layers, folder.parent / CACHE)
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
    settings, corpus = decided_by_data(layers, folder.parent / CACHE)
    return folder, settings, corpus


def _folder(layers: Sequence[Table], name: str | None, out: Path | None, resume: str) -> Path:
    if resume not in ("auto", "never"):
        return Path(resume)
    if out is not None:
        return out
    asked = data_of(*layers)
    stem = Path(asked.path.split(":")[-1]).resolve().stem if asked.path else "dates"
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
                more = len(changed) - MOST_NAMED
                if more > 0:
                    changed = [*changed[:MOST_NAMED], f"and {more} more"]
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


def newest_of(folder: Path, resume: str, ranks: Ranks, console: Console) -> Checkpoint | None:
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
        "attention": settings.model.described(),
        "parameters": sum(p.numel() for p in task.predictor.model.parameters()),
        "data": corpus.fingerprint if corpus else "generated",
    }
    write_whole(folder / ENVIRONMENT, (json.dumps(environment, indent=2) + "\n").encode())
