"""Matching: two columns of sentences and one of labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import learned, require_labels, require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.examples import Reader, encode
from regard.data.encoding.examples import load as opened
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.corpus import Corpus
from regard.tasks.classify import TOKENIZER, load_labels
from regard.tasks.match import Match
from regard.tasks.matcher import Matcher


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    require_labels(corpus)
    tokenizer = learned(settings, texts_of(corpus.splits["train"], "left", "right"))
    tokenizer.save(place / TOKENIZER)
    _encoded(corpus.splits, tokenizer, corpus.labels, settings.data.longest, place)


def task(settings: Settings, corpus: Corpus, place: Path) -> Match:
    tokenizer = Tokenizer.load(place / TOKENIZER)
    make = NETWORKS[settings.model.name].makers["match"]
    predictor = Matcher(
        make(settings, vocab=len(tokenizer), classes=len(corpus.labels)),
        tokenizer,
        corpus.labels,
        settings.data.longest,
        settings.model.about(),
    )
    return Match(
        predictor,
        {split: opened(place / split) for split in corpus.splits},
        corpus.splits,
        batch_tokens=settings.data.batch_tokens,
        smoothing=settings.data.smoothing,
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Matcher, place: Path
) -> Match:
    known = (predictor.tokenizer, predictor.labels, predictor.longest)
    return Match(predictor, _encoded(splits, *known, place), splits, fixed=0)


def load(folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any) -> Matcher:
    tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
    require_same(folder, model, vocab=tokenizer, classes=labels)
    return Matcher(model, tokenizer, labels, known["longest"], parts)


def _encoded(
    splits: Mapping[str, Any],
    tokenizer: Tokenizer,
    labels: tuple[str, ...],
    longest: int,
    place: Path,
) -> dict[str, Any]:
    readers: dict[str, Reader] = {"left": tokenizer, "right": tokenizer, "label": labels}
    return {
        split: encode(rows, readers, place / split, longest, "cut")
        for split, rows in splits.items()
    }
