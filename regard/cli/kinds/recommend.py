"""Recommendation: columns of users and items, of ratings, times and categories where there are any.

What is known of the items is in the catalogue, and goes with the network.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.catalogue import Catalogue
from regard.data.encoding.histories import (
    Histories,
    Prefixes,
    all_prefixes,
    histories,
    last_items,
    leave_one_out,
)
from regard.data.reading.columns import COLUMNS
from regard.data.reading.corpus import Corpus
from regard.tasks.recommend import Recommend
from regard.tasks.recommender import CATALOGUE, Recommender, features_of


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    found = _histories(corpus.splits["train"])
    _require_examples(found, "valid" in corpus.splits)
    found.catalogue.save(place / CATALOGUE)


def task(settings: Settings, corpus: Corpus, place: Path) -> Recommend:
    catalogue, model = Catalogue.load(place / CATALOGUE), settings.model
    make = NETWORKS[model.name].makers["recommend"]
    known = {"features": features_of(catalogue), "values": len(catalogue.values)}
    network = make(settings, items=len(catalogue), **known)
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
    require_same(folder, model, items=catalogue, values=catalogue.values)
    return Recommender(model, catalogue, known["longest"], known["top"], parts)


def _histories(rows: Any, catalogue: Catalogue | None = None) -> Histories:
    *names, category = COLUMNS["recommend"]
    columns = zip(*(texts_of(rows, name) for name in names), strict=True)
    if category not in rows.column_names:
        return histories(columns, catalogue=catalogue)
    known = (text.split("\t") for text in texts_of(rows, category))
    described = ((*row, *values) for row, values in zip(columns, known, strict=True))
    return histories(described, catalogue=catalogue)


def _require_examples(found: Histories, given: bool) -> None:
    """Raise `ValueError` when no user chose enough to learn from."""
    if not len(all_prefixes(found) if given else leave_one_out(found)["train"]):
        most = int(found.sequences.lengths.max())
        raise ValueError(
            f"no user of {len(found.users):,} has more than {most} interaction{'s' * (most > 1)}, "
            f"and one with {2 if given else 4} is needed: an item is learned from those before it"
            + ("" if given else ", and each user's last two are held out")
        )


def _examples(splits: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Prefixes]:
    """Each user's last items held out, or where there are files for that, those of the files.

    Whoever chose one item alone is no example; the item is still one that can be recommended.
    """
    train = _histories(splits["train"], catalogue)
    further = {s: _histories(rows, catalogue) for s, rows in splits.items() if s != "train"}
    found = {"train": all_prefixes(train)} if "valid" in further else leave_one_out(train)
    return found | {split: last_items(part, train) for split, part in further.items()}
