"""Dates, which are written while training and need no data."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import require_same
from regard.cli.names import NORMALIZERS, SCORES, chosen
from regard.cli.settings import Settings
from regard.data.reading.corpus import Corpus
from regard.data.synthetic.cldr_dates import languages
from regard.tasks.date_reader import DateReader, load_vocabularies
from regard.tasks.dates import Dates


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    raise ValueError("dates are written while training; there is nothing to read")


def task(settings: Settings, corpus: None, place: Path) -> Dates:
    model: Any = settings.model
    score = None if model.score == "additive" else chosen("score", model.score, SCORES)(96, 32, 32)
    normalizer: Any = chosen("normalizer", model.normalizer, NORMALIZERS)(1)
    known = settings.data.languages or languages()
    made = Dates(known, score, normalizer, seed=settings.train.seed)
    made.predictor = replace(made.predictor, about=model.about())
    return made


def examined(settings: Settings, splits: None, predictor: DateReader, place: Path) -> Dates:
    made = Dates(settings.data.languages or languages())
    made.predictor = predictor
    return made


def load(
    folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any
) -> DateReader:
    source, target = load_vocabularies(folder)
    require_same(folder, model, source_vocab=source, target_vocab=target)
    return DateReader(model, source, target, parts)
