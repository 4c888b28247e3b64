"""From settings and data to a task: learn the tokens, encode, build the network."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from regard._io.extra import extra
from regard._io.files import read_json_file, write_whole
from regard.data.feeding.streamed import Streamed
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError
from regard.run.loading import load_predictor
from regard.run.settings import Settings
from regard.tasks import task_class
from regard.tasks.task import Encoded, Task
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST

TOKENS, PREPARED = "tokens", "prepared.json"
FORMAT = 2
"""Of what is prepared; 1, which has no number, lacks what task and data decide together."""
HEAD, EVALUATED = 100_000, 1000
"""Rows of a stream that tokens are learned from, and that each evaluation asks."""
POOL = 10_000
"""Rows of a stream that are sorted into batches at a time."""


def task_of(settings: Settings, corpus: Corpus | None, folder: Path, ranks: Ranks) -> Task:
    """What is to be learned, its data prepared and its network new."""
    kind = task_class(settings.task_name)
    seed = settings.train.seed
    if corpus is None:
        torch.manual_seed(seed)
        return kind(None, lambda **sizes: settings.network(sizes), settings.task, seed=seed)
    known = head(corpus) if settings.data and settings.data.streaming else corpus
    encoded = _encoded(kind, settings, known, folder / TOKENS, ranks)
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
    """The task of a trained predictor: its own coder reads the data, nothing is learned.

    Args:
        everything: data without a test part is one as a whole.
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
    """A streamed corpus's beginnings as data in memory: to learn tokens from and to evaluate on.

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


def _encoded(kind: Any, settings: Settings, corpus: Corpus, place: Path, ranks: Ranks) -> Encoded:
    """The corpus as numbers, made once for all processes."""
    if ranks.is_main and _prepared(place) != corpus.fingerprint:
        coder = _coder_of_older_run(place)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        kind.prepare(corpus, settings.task, place, coder)
        entry = {"fingerprint": corpus.fingerprint, "format": FORMAT}
        write_whole(place / PREPARED, json.dumps(entry).encode())
    while _prepared(place) != corpus.fingerprint:
        # Preparing large data takes longer than processes wait for each other's messages; if the
        # one that does it dies, whoever started us all ends us too.
        time.sleep(0.2)
    return kind.opened(corpus, settings.task, place)


def _prepared(place: Path) -> str | None:
    """The fingerprint of the data that was prepared here, None while it is not all there."""
    entry = _entry(place)
    return entry["fingerprint"] if entry.get("format") == FORMAT else None


def _entry(place: Path) -> dict[str, Any]:
    """What is said of the data that was prepared here, nothing while it is not all there."""
    try:
        entry = read_json_file(place / PREPARED)
    except (OSError, ValueError):
        return {}
    whole = isinstance(entry, dict) and isinstance(entry.get("fingerprint"), str)
    return entry if whole else {}


def _coder_of_older_run(place: Path) -> Any:
    """What a run of version 0.1 has learned from its data, None where it is not one.

    Its network knows the tokens by these numbers, and `unigram` learns others each time. Where
    nothing was evaluated yet, the same data has to do.
    """
    entry, best = _entry(place), place.parent / BEST
    older = bool(entry) and "format" not in entry and best.exists()
    return load_predictor(best).coder if older else None
