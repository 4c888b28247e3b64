"""Recommendation: columns of users and items, of ratings and times where there are any."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.catalogue import Catalogue
from regard.data.columns import COLUMNS
from regard.data.corpus import Corpus
from regard.data.histories import (
    Histories,
    Prefixes,
    all_prefixes,
    histories,
    last_items,
    leave_one_out,
)
from regard.tasks.recommend import Recommend
from regard.tasks.recommender import CATALOGUE, Recommender


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    _histories(corpus.splits["train"]).catalogue.save(place / CATALOGUE)


def task(settings: Settings, corpus: Corpus, place: Path) -> Recommend:
    catalogue, model = Catalogue.load(place / CATALOGUE), settings.model
    make = NETWORKS[model.name].makers["recommend"]
    network = make(settings, items=len(catalogue))
    return Recommend(
        Recommender(network, catalogue, settings.data.longest, about=model.about()),
        _examples(corpus.splits, catalogue),
        batch_tokens=settings.data.batch_tokens,
        negatives=getattr(model, "negatives", 1),
        l2=getattr(model, "l2", 0.0),
        seed=settings.train.seed,
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Recommender, place: Path
) -> Recommend:
    model = settings.model
    return Recommend(
        predictor,
        _examples(splits, predictor.catalogue),
        negatives=getattr(model, "negatives", 1),
        seed=settings.train.seed,
        fixed=0,
    )


def load(
    folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any
) -> Recommender:
    catalogue = Catalogue.load(folder / CATALOGUE)
    require_same(folder, model, items=catalogue)
    return Recommender(model, catalogue, known["longest"], known["top"], parts)


def _histories(rows: Any, catalogue: Catalogue | None = None) -> Histories:
    columns = (texts_of(rows, name) for name in COLUMNS["recommend"])
    return histories(zip(*columns, strict=True), catalogue=catalogue)


def _examples(splits: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Prefixes]:
    """Each user's last items held out, or where there are files for that, those of the files."""
    train = _histories(splits["train"], catalogue)
    further = {s: _histories(rows, catalogue) for s, rows in splits.items() if s != "train"}
    found = {"train": all_prefixes(train)} if "valid" in further else leave_one_out(train)
    return found | {split: last_items(part, train) for split, part in further.items()}
