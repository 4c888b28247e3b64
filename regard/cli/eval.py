"""`regard eval`: how good is a trained model, on its own test data or on other data?"""

import json as json_module
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from regard.cli.layering import CONFIG
from regard.cli.mistake import Mistake
from regard.cli.predict import loaded
from regard.cli.preparation import examined, read_corpus
from regard.cli.settings import Settings, read_toml, settings_of
from regard.tasks.task import Task
from regard.train.display import named


def run(
    run: Path,
    data: str | None,
    split: str | None,
    metrics: Sequence[str] | None,
    beam: int,
    json: bool,
) -> int:
    """Print the metrics; with `json`, one object."""
    settings = _settings(run, data)
    predictor = loaded(run)
    predictor.model.eval()
    with tempfile.TemporaryDirectory(prefix="regard-") as place:
        is_read = settings.data.task != "dates"
        corpus = read_corpus(settings.data, Path(place) / "read") if is_read else None
        try:
            task = examined(settings, corpus, predictor, Path(place), data is not None)
        except ValueError as error:
            raise Mistake(str(error)) from error
        chosen = split or ("test" if task.size("test") else "valid")
        scores = _scores(task, chosen, beam)
    unknown = [name for name in metrics or () if name not in scores]
    if unknown:
        raise Mistake(f"there is no metric {unknown[0]!r}; there are {', '.join(scores)}")
    shown = {name: scores[name] for name in metrics or scores}
    if json:
        about = {"run": str(run), "data": settings.data.path, "split": chosen, "beam": beam}
        print(json_module.dumps(about | {"examples": task.size(chosen)} | shown))
    else:
        print(f"{chosen} data, {task.size(chosen):,} examples: {named(shown)}")
    return 0


def _scores(task: Task, split: str, beam: int) -> dict[str, float]:
    if not task.size(split):
        raise Mistake(f"the data has no {split} part; say --split valid or give --data")
    return task.score(split, task.examine(split, np.arange(task.size(split)), beam))


def _settings(run: Path, data: str | None) -> Settings:
    """The run's settings, with other data if some is given."""
    for folder in (run, run.parent):
        if (folder / CONFIG).is_file():
            settings = settings_of(read_toml(folder / CONFIG))
            break
    else:
        raise Mistake(f"{run} has no {CONFIG}, so it does not say how its data is read")
    if data is None:
        return settings
    return replace(settings, data=replace(settings.data, path=data))
