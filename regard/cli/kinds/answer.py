"""Questions about stories: columns of a story, a question, its answer, and what supports that."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.cli.kinds.encoding import require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.examples import encode
from regard.data.encoding.examples import load as opened
from regard.data.encoding.story_words import learn_words
from regard.data.reading.corpus import Corpus
from regard.tasks.answer import AnswerQuestions, coders
from regard.tasks.answerer import Answerer, load_vocabulary, save_vocabulary


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    train = corpus.splits["train"]
    columns = (texts_of(train, name) for name in ("story", "question", "answer"))
    vocabulary = learn_words(*columns)
    save_vocabulary(vocabulary, place)
    for split, rows in corpus.splits.items():
        encode(rows, {**coders(vocabulary)}, place / split)


def task(settings: Settings, corpus: Corpus, place: Path) -> AnswerQuestions:
    vocabulary, model = load_vocabulary(place), settings.model
    make = NETWORKS[model.name].makers["answer"]
    return AnswerQuestions(
        Answerer(make(settings, vocab=len(vocabulary)), vocabulary, model.about()),
        {split: opened(place / split) for split in corpus.splits},
        corpus.splits,
        batch_size=settings.data.batch_size,
        linear_epochs=float(getattr(model, "linear_epochs", 0)),
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Answerer, place: Path
) -> AnswerQuestions:
    readers = {**coders(predictor.vocabulary)}
    encoded = {split: encode(rows, readers, place / split) for split, rows in splits.items()}
    return AnswerQuestions(predictor, encoded, splits, fixed=0)


def load(folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any) -> Answerer:
    vocabulary = load_vocabulary(folder)
    require_same(folder, model, vocab=vocabulary)
    return Answerer(model, vocabulary, parts)
