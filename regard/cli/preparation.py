"""From settings to a task: read the data, learn the tokens, encode, build the network."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from regard._files import read_json, write_whole
from regard.cli.assembly import about, classification_model, language_model, translation_model
from regard.cli.mistake import Mistake
from regard.cli.names import NORMALIZERS, SCORES, chosen
from regard.cli.settings import Settings
from regard.data.cldr_dates import languages as all_languages
from regard.data.corpus import Corpus
from regard.data.examples import Reader, encode, load
from regard.data.extra import extra
from regard.data.reading import read
from regard.data.streamed import Streamed
from regard.data.token_stream import TokenStream
from regard.data.tokenizer import Tokenizer
from regard.tasks.classify import Classifier, Classify
from regard.tasks.dates import Dates
from regard.tasks.language_model import LanguageModel, Narrator
from regard.tasks.task import Task
from regard.tasks.translate import SOURCE, TARGET, Translate, Translator
from regard.train.ranks import Ranks

TOKENS, PREPARED = "tokens", "prepared.json"
HEAD, EXAMINED = 100_000, 1000
"""Rows of a stream that tokens are learned from, and that each look at it asks."""
POOL = 10_000
"""Rows of a stream that are sorted into batches at a time."""


def read_corpus(settings: Settings, cache: Path | None) -> Corpus:
    """The data of a run; raises `Mistake` with the file and the line."""
    data = settings.data
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
    encoders: dict[str, Callable[[Settings, Corpus, Path], None]] = {
        "translate": _encode_pairs,
        "classify": _encode_texts,
        "language_model": _encode_stream,
    }
    place = folder / TOKENS
    if ranks.speaks and _prepared(place) != corpus.fingerprint:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        encoders[corpus.task](settings, corpus, place)
        entry = {"fingerprint": corpus.fingerprint}
        write_whole(place / PREPARED, json.dumps(entry).encode())
    while _prepared(place) != corpus.fingerprint:
        # Preparing large data takes longer than processes wait for each other's messages; if the
        # one that does it dies, whoever started us all ends us too.
        time.sleep(0.2)


def task_of(settings: Settings, corpus: Corpus | None, folder: Path) -> Task:
    """The task, its network new: from data that is prepared, or of dates."""
    torch.manual_seed(settings.train.seed)
    if corpus is None:
        return _dates(settings)
    makers: dict[str, Callable[[Settings, Corpus, Path], Task]] = {
        "translate": _translate,
        "classify": _classify,
        "language_model": _language_model,
    }
    return makers[corpus.task](settings, corpus, folder / TOKENS)


def _dates(settings: Settings) -> Dates:
    model = settings.model
    score = None if model.score == "additive" else chosen("score", model.score, SCORES)(96, 32, 32)
    normalizer: Any = chosen("normalizer", model.normalizer, NORMALIZERS)(1)
    task = Dates(
        settings.data.languages or all_languages(), score, normalizer, seed=settings.train.seed
    )
    task.predictor = replace(task.predictor, about=about(model))
    return task


def _encode_pairs(settings: Settings, corpus: Corpus, place: Path) -> None:
    tokens, train = settings.tokens, corpus.splits["train"]
    sides = ("source", "target")
    if tokens.joint:
        both = _learn(settings, _texts(train, *sides))
        tokenizers: dict[str, Tokenizer] = {"source": both, "target": both}
    else:
        tokenizers = {side: _learn(settings, _texts(train, side)) for side in sides}
        tokenizers["target"].save(place / TARGET)
    tokenizers["source"].save(place / SOURCE)
    readers: dict[str, Reader] = {**tokenizers}
    for split, rows in corpus.splits.items():
        # Every example is examined; only training leaves out what is too long.
        limit = settings.data.longest if split == "train" else None
        encode(rows, readers, place / split, limit)


def _encode_texts(settings: Settings, corpus: Corpus, place: Path) -> None:
    tokenizer = _learn(settings, _texts(corpus.splits["train"], "text"))
    tokenizer.save(place / SOURCE)
    readers: dict[str, Reader] = {"text": tokenizer, "label": corpus.labels}
    for split, rows in corpus.splits.items():
        encode(rows, readers, place / split, settings.data.longest, "cut")


def _encode_stream(settings: Settings, corpus: Corpus, place: Path) -> None:
    tokenizer = _learn(settings, _texts(corpus.splits["train"], "text"))
    tokenizer.save(place / SOURCE)
    _, characters = _streams(corpus.splits, tokenizer, place)
    write_whole(place / "characters.json", json.dumps(characters).encode())


def _translate(settings: Settings, corpus: Corpus, place: Path) -> Translate:
    source = Tokenizer.load(place / SOURCE)
    target = source if settings.tokens.joint else Tokenizer.load(place / TARGET)
    model = translation_model(settings, len(source), len(target))
    return Translate(
        Translator(model, source, target, about=about(settings.model)),
        {split: load(place / split) for split in corpus.splits},
        corpus.splits,
        batch_tokens=settings.data.batch_tokens,
        smoothing=settings.data.smoothing,
    )


def _classify(settings: Settings, corpus: Corpus, place: Path) -> Classify:
    tokenizer = Tokenizer.load(place / SOURCE)
    model = classification_model(settings, len(tokenizer), len(corpus.labels))
    predictor = Classifier(
        model, tokenizer, corpus.labels, settings.data.longest, about(settings.model)
    )
    return Classify(
        predictor,
        {split: load(place / split) for split in corpus.splits},
        corpus.splits,
        batch_tokens=settings.data.batch_tokens,
        smoothing=settings.data.smoothing,
    )


def _language_model(settings: Settings, corpus: Corpus, place: Path) -> LanguageModel:
    tokenizer = Tokenizer.load(place / SOURCE)
    model = language_model(settings, len(tokenizer))
    return LanguageModel(
        Narrator(model, tokenizer, settings.data.block, about=about(settings.model)),
        {split: TokenStream.load(place / split) for split in corpus.splits},
        read_json((place / "characters.json").read_bytes()),
        batch_size=settings.data.batch_size,
        seed=settings.train.seed,
    )


def _learn(settings: Settings, texts: Iterator[str]) -> Tokenizer:
    tokens = settings.tokens
    running = settings.data.task == "language_model"
    return Tokenizer.train(texts, tokens.kind, tokens.size, tokens.lowercase, running)


def _texts(rows: Any, *columns: str) -> Iterator[str]:
    """The texts of these columns, a thousand rows of each in turn."""
    for start in range(0, len(rows), 1000):
        batch = rows[start : start + 1000]
        for column in columns:
            yield from batch[column]


def _streams(
    splits: Mapping[str, Any], tokenizer: Tokenizer, place: Path
) -> tuple[dict[str, TokenStream], dict[str, int]]:
    """Each split as one stream of tokens, and how many characters it has."""
    streams, characters = {}, dict.fromkeys(splits, 0)

    def counted(split: str) -> Iterator[str]:
        for text in _texts(splits[split], "text"):
            characters[split] += len(text)
            yield text

    for split in splits:
        streams[split] = TokenStream.encode(counted(split), tokenizer, place / split)
    return streams, characters


def _prepared(place: Path) -> str | None:
    """The fingerprint of the data that was prepared here, None while it is not all there."""
    try:
        return str(read_json((place / PREPARED).read_bytes())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def examined(
    settings: Settings, corpus: Corpus | None, predictor: Any, place: Path, everything: bool
) -> Task:
    """The task of a trained predictor: its own tokenizers read the data, nothing is learned.

    With `everything`, data without a test part is one as a whole.
    """
    if corpus is None:
        task = Dates(settings.data.languages or all_languages())
        task.predictor = predictor
        return task
    splits = {split: rows for split, rows in corpus.splits.items() if split != "train"}
    if everything and "test" not in splits:
        joined = extra("datasets").concatenate_datasets
        splits = {"test": joined([corpus.splits["train"], corpus.splits["valid"]])}
    if corpus.task == "translate":
        coders = {"source": predictor.source, "target": predictor.target}
        encoded = {split: encode(rows, coders, place / split) for split, rows in splits.items()}
        return Translate(predictor, encoded, splits, fixed=0)
    if corpus.task == "classify":
        readers = {"text": predictor.tokenizer, "label": predictor.labels}
        encoded = {
            split: encode(rows, readers, place / split, predictor.longest, "cut")
            for split, rows in splits.items()
        }
        return Classify(predictor, encoded, splits, fixed=0)
    return LanguageModel(predictor, *_streams(splits, predictor.tokenizer, place))
