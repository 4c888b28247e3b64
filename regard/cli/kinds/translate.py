"""Translation: two columns of text, each with its tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import learned, require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.examples import Reader, encode
from regard.data.encoding.examples import load as opened
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.corpus import Corpus
from regard.tasks.translate import SOURCE, TARGET, Translate, Translator, load_tokenizers


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    train = corpus.splits["train"]
    sides = ("source", "target")
    if settings.tokens.joint:
        both = learned(settings, texts_of(train, *sides))
        tokenizers: dict[str, Tokenizer] = {"source": both, "target": both}
    else:
        tokenizers = {side: learned(settings, texts_of(train, side)) for side in sides}
        tokenizers["target"].save(place / TARGET)
    tokenizers["source"].save(place / SOURCE)
    readers: dict[str, Reader] = {**tokenizers}
    for split, rows in corpus.splits.items():
        # Every example is examined; only training leaves out what is too long.
        limit = settings.data.longest if split == "train" else None
        encode(rows, readers, place / split, limit)


def task(settings: Settings, corpus: Corpus, place: Path) -> Translate:
    source = Tokenizer.load(place / SOURCE)
    target = source if settings.tokens.joint else Tokenizer.load(place / TARGET)
    make = NETWORKS[settings.model.name].makers["translate"]
    model = make(settings, source_vocab=len(source), target_vocab=len(target))
    return Translate(
        Translator(model, source, target, about=settings.model.about()),
        {split: opened(place / split) for split in corpus.splits},
        corpus.splits,
        batch_tokens=settings.data.batch_tokens,
        smoothing=settings.data.smoothing,
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Translator, place: Path
) -> Translate:
    coders: dict[str, Reader] = {"source": predictor.source, "target": predictor.target}
    encoded = {split: encode(rows, coders, place / split) for split, rows in splits.items()}
    return Translate(predictor, encoded, splits, fixed=0)


def load(
    folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any
) -> Translator:
    reading, writing = load_tokenizers(folder)
    require_same(folder, model, source_vocab=reading, target_vocab=writing)
    return Translator(model, reading, writing, known["length_penalty"], parts)
