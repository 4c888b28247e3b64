"""What can be learned, one file for each task: the way from a corpus to a task and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from regard.cli.kinds import answer, classify, dates, language_model, match, recommend, translate
from regard.cli.settings import Settings
from regard.data.reading.corpus import Corpus
from regard.tasks.task import Predictor, Task

Table = Mapping[str, Any]


@runtime_checkable
class Kind(Protocol):
    """What such a file has."""

    def prepare(self, settings: Settings, corpus: Corpus, place: Path) -> None:
        """Learn the tokens of the training data and write every split as numbers."""

    def task(self, settings: Settings, corpus: Any, place: Path) -> Task:
        """The task, its network new, from what `prepare` wrote."""

    def examined(self, settings: Settings, splits: Any, predictor: Any, place: Path) -> Task:
        """The task of a trained predictor, which reads these splits as it has learned to."""

    def load(self, folder: Path, known: Table, parts: Table, model: Any) -> Predictor:
        """The predictor that a folder holds; `known` is its `task.json`, `parts` a part of that."""


KINDS: dict[str, Kind] = {
    "translate": translate,
    "classify": classify,
    "language_model": language_model,
    "match": match,
    "answer": answer,
    "recommend": recommend,
    "dates": dates,
}
