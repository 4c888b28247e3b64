"""From settings and data to a task: learn the tokens, encode, build the network."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from regard._io.extra import extra
from regard._io.faults import writing
from regard._io.files import read_json_file
from regard._io.vouched import vouch, vouched
from regard.data.feeding.streamed import Streamed
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError
from regard.run.fine_tuning import Published
from regard.run.kept_data import ROWS, keep_rows
from regard.run.loading import load_predictor
from regard.run.settings import Settings
from regard.run.starting import Origin, origin_of
from regard.tasks import task_class
from regard.tasks.task import Encoded, Task
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, ENVIRONMENT

TOKENS, PREPARED = "tokens", "prepared.json"
GENERATED = "generated"
FORMAT = 3
"""Version of prepared data; 2 has no digests, 1 no number, and lacks what task and data decide."""
HEAD, EVALUATED = 100_000, 1000
"""Rows of a stream that tokens are learned from, and that each evaluation uses."""
POOL = 10_000
"""Rows of a stream that are sorted into batches at a time."""


def task_of(
    settings: Settings,
    corpus: Corpus | None,
    folder: Path,
    ranks: Ranks,
    origin: Origin | Published | None = None,
) -> Task:
    """The task to learn, with prepared data and a new network.

    Args:
        origin: the network whose tokens are used.
    """
    kind = task_class(settings.task_name)
    seed = settings.train.seed
    if corpus is None:
        torch.manual_seed(seed)
        return kind(None, lambda **sizes: settings.network(sizes), settings.task, seed=seed)
    known = head(corpus) if settings.data and settings.data.streaming else corpus
    encoded = _encoded(kind, settings, known, folder / TOKENS, ranks, origin)
    torch.manual_seed(seed)
    task: Task = kind(encoded, lambda **sizes: settings.network(sizes), settings.task, seed=seed)
    if known is not corpus:
        task.stream = Streamed(
            corpus.splits["train"], POOL, task.stream_part, rank=ranks.rank, world=ranks.world
        )
    return task


def task_of_trained(
    predictor: Any, settings: Settings, corpus: Corpus | None, place: Path, everything: bool
) -> Task:
    """The task of a trained predictor: its own coder encodes the data, nothing is learned.

    Args:
        everything: data without a test split is used as one as a whole.
    """
    kind = task_class(settings.task_name)
    if corpus is None:
        return kind.of(predictor, {}, place, settings.task)
    splits: Mapping[str, Any] = corpus.splits
    if not kind.evaluates_training_part:
        splits = {split: rows for split, rows in corpus.splits.items() if split != "train"}
        if everything and "test" not in splits:
            joined = extra("datasets").concatenate_datasets
            splits = {"test": joined([corpus.splits["train"], corpus.splits["valid"]])}
    return kind.of(predictor, splits, place, settings.task)


def head(corpus: Corpus) -> Corpus:
    """The beginning of a streamed corpus in memory: to learn tokens from and to evaluate on.

    Raises `UsageError` when nothing is left to evaluate.
    """
    make = extra("datasets").Dataset.from_list
    first = {
        split: list(rows.take(HEAD if split == "train" else EVALUATED))
        for split, rows in corpus.splits.items()
    }
    for split, rows in first.items():
        if not rows:
            raise UsageError(f"the {split} part of the stream is empty; give a file for it")
    return replace(corpus, splits={split: make(rows) for split, rows in first.items()})


def trained_on(folder: Path) -> str | None:
    """The fingerprint of the data that a run was trained on, None if unknown."""
    known = _noted(folder / TOKENS / PREPARED, "fingerprint") or _noted(
        folder / ENVIRONMENT, "data"
    )
    return None if known == GENERATED else known


def _encoded(
    kind: Any,
    settings: Settings,
    corpus: Corpus,
    place: Path,
    ranks: Ranks,
    origin: Origin | Published | None,
) -> Encoded:
    """The corpus as numbers, made once for all processes."""
    wanted = {"fingerprint": corpus.fingerprint, "format": FORMAT}
    if origin is not None:
        wanted["origin"] = origin.digest
    if ranks.is_main and not wanted.items() <= _entry(place).items():
        coder = _known_coder(place)
        if coder is None and origin is None and settings.train.start:
            origin = origin_of(settings.train.start)
        if origin is not None:
            coder = origin.coder(kind, corpus, settings.task)
        with writing(place):
            _clear(place)
            kind.prepare(corpus, settings.task, place, coder)
            keep_rows(corpus, place)
            vouch(place, PREPARED, wanted)
    # Preparing large data takes longer than processes wait for each other's other messages.
    ranks.broadcast()
    return kind.opened(corpus, settings.task, place)


def _clear(place: Path) -> None:
    """An empty folder, but for the rows, which may be those that are to be prepared again."""
    place.mkdir(parents=True, exist_ok=True)
    (place / PREPARED).unlink(missing_ok=True)
    for path in place.iterdir():
        if path.is_dir() and path.name != ROWS:
            shutil.rmtree(path, ignore_errors=True)
        elif not path.is_dir():
            path.unlink(missing_ok=True)


def _noted(path: Path, key: str) -> Any:
    """A text that a file says of the data, None where it says nothing."""
    try:
        noted = read_json_file(path)[key]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return noted if isinstance(noted, str) else None


def _entry(place: Path) -> dict[str, Any]:
    """What is said of the data that was prepared here, nothing unless every byte is the same."""
    try:
        return vouched(place, PREPARED)
    except (OSError, ValueError):
        return {}


def _known_coder(place: Path) -> Any:
    """What a run has learned from its data, None where it has learned nothing yet.

    Its network knows the tokens by these numbers, and `unigram` learns others each time. Where
    nothing was evaluated yet, the same data has to do.
    """
    best = place.parent / BEST
    return load_predictor(best).coder if best.exists() else None
