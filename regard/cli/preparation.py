"""From settings to a task: read the data, learn the tokens, encode, build the network."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from regard._io.extra import extra
from regard._io.files import read_json, write_whole
from regard.cli.kinds import KINDS
from regard.cli.mistake import Mistake
from regard.cli.settings import DataSettings, Settings
from regard.data.feeding.streamed import Streamed
from regard.data.reading.corpus import Corpus
from regard.data.reading.read import read
from regard.tasks.task import Task
from regard.train.ranks import Ranks

TOKENS, PREPARED = "tokens", "prepared.json"
HEAD, EXAMINED = 100_000, 1000
"""Rows of a stream that tokens are learned from, and that each look at it asks."""
POOL = 10_000
"""Rows of a stream that are sorted into batches at a time."""


def read_corpus(data: DataSettings, cache: Path | None) -> Corpus:
    """The data of a run; raises `Mistake` with the file and the line."""
    try:
        return read(
            data.path,
            data.task or None,
            source=data.source or None,
            target=data.target or None,
            encoding=data.encoding,
            cache=cache,
            streaming=data.streaming,
        )
    except (ValueError, OSError, ImportError) as error:
        raise Mistake(str(error)) from None


def head(corpus: Corpus) -> Corpus:
    """A streamed corpus's beginnings as data in memory: to learn tokens from and to be examined on.

    Raises `Mistake` when nothing is left to examine.
    """
    make = extra("datasets").Dataset.from_list
    first = {
        split: list(rows.take(HEAD if split == "train" else EXAMINED))
        for split, rows in corpus.splits.items()
    }
    for split, rows in first.items():
        if not rows:
            raise Mistake(f"the {split} part of the stream is empty; give a file for it")
    return replace(corpus, splits={split: make(rows) for split, rows in first.items()})


def stream(task: Any, corpus: Corpus, settings: Settings, ranks: Ranks) -> None:
    """Let a task train on the stream itself, of which each process reads its share."""
    task.stream = Streamed(
        corpus.splits["train"],
        POOL,
        lambda rows: task.encoded(rows, settings.data.longest),
        rank=ranks.rank,
        world=ranks.world,
    )


def prepare(settings: Settings, corpus: Corpus, folder: Path, ranks: Ranks) -> None:
    """Learn the tokens of the training data and encode every split, once for all processes."""
    place = folder / TOKENS
    if ranks.speaks and _prepared(place) != corpus.fingerprint:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        KINDS[corpus.task].prepare(settings, corpus, place)
        entry = {"fingerprint": corpus.fingerprint}
        write_whole(place / PREPARED, json.dumps(entry).encode())
    while _prepared(place) != corpus.fingerprint:
        # Preparing large data takes longer than processes wait for each other's messages; if the
        # one that does it dies, whoever started us all ends us too.
        time.sleep(0.2)


def task_of(settings: Settings, corpus: Corpus | None, folder: Path) -> Task:
    """The task, its network new: from data that is prepared, or of dates."""
    torch.manual_seed(settings.train.seed)
    kind = KINDS["dates" if corpus is None else corpus.task]
    return kind.task(settings, corpus, folder / TOKENS)


def examined(
    settings: Settings, corpus: Corpus | None, predictor: Any, place: Path, everything: bool
) -> Task:
    """The task of a trained predictor: its own tokenizers read the data, nothing is learned.

    With `everything`, data without a test part is one as a whole.
    """
    if corpus is None:
        return KINDS["dates"].examined(settings, None, predictor, place)
    if corpus.task == "recommend":
        # What is asked may be held out of the training part itself.
        return KINDS["recommend"].examined(settings, corpus.splits, predictor, place)
    splits = {split: rows for split, rows in corpus.splits.items() if split != "train"}
    if everything and "test" not in splits:
        joined = extra("datasets").concatenate_datasets
        splits = {"test": joined([corpus.splits["train"], corpus.splits["valid"]])}
    return KINDS[corpus.task].examined(settings, splits, predictor, place)


def _prepared(place: Path) -> str | None:
    """The fingerprint of the data that was prepared here, None while it is not all there."""
    try:
        return str(read_json((place / PREPARED).read_bytes())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
