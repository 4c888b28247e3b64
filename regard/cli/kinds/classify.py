"""Classification: a column of text and one of labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import learned, require_labels, require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.documents import DocumentCoder
from regard.data.encoding.examples import Reader, encode
from regard.data.encoding.examples import load as opened
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.corpus import Corpus
from regard.tasks.classify import TOKENIZER, Classifier, Classify, load_labels


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    require_labels(corpus)
    tokenizer = learned(settings, texts_of(corpus.splits["train"], "text"))
    tokenizer.save(place / TOKENIZER)
    coder = DocumentCoder(tokenizer) if settings.tokens.sentences else tokenizer
    readers: dict[str, Reader] = {"text": coder, "label": corpus.labels}
    for split, rows in corpus.splits.items():
        encode(rows, readers, place / split, settings.data.longest, "cut")


def task(settings: Settings, corpus: Corpus, place: Path) -> Classify:
    tokenizer = Tokenizer.load(place / TOKENIZER)
    make = NETWORKS[settings.model.name].makers["classify"]
    predictor = Classifier(
        make(settings, vocab=len(tokenizer), classes=len(corpus.labels)),
        tokenizer,
        corpus.labels,
        settings.data.longest,
        settings.tokens.sentences,
        settings.model.about(),
    )
    return Classify(
        predictor,
        {split: opened(place / split) for split in corpus.splits},
        corpus.splits,
        batch_tokens=settings.data.batch_tokens,
        smoothing=settings.data.smoothing,
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Classifier, place: Path
) -> Classify:
    readers: dict[str, Reader] = {"text": predictor.coder, "label": predictor.labels}
    encoded = {
        split: encode(rows, readers, place / split, predictor.longest, "cut")
        for split, rows in splits.items()
    }
    return Classify(predictor, encoded, splits, fixed=0)


def load(
    folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any
) -> Classifier:
    tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
    require_same(folder, model, vocab=tokenizer, classes=labels)
    return Classifier(
        model, tokenizer, labels, known["longest"], known.get("sentences", False), parts
    )
