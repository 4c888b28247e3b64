"""`regard eval`: how good is a trained model, on its own test data or on other data?"""

import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path

from regard._io.faults import sentence
from regard._printable import shown
from regard.cli.evaluation_report import evaluation_lines
from regard.data.reading.text_encoding import AUTO
from regard.errors import UsageError
from regard.run.run import Run


def run(
    run: Path,
    data: str | None,
    split: str | None,
    metrics: Sequence[str] | None,
    answers: int,
    worst: int,
    json: bool,
    columns: Mapping[str, str | None],
    encoding: str | None,
) -> int:
    """Print the metrics and what is behind them; with `json`, one object.

    Args:
        columns: of other data that play the roles of the task, None for those of training.
        encoding: of other data, None to detect it.
    """
    try:
        opened = Run(run)
        path = data or (opened.settings.data.path if opened.settings.data else "")
        found = opened.examination(
            data, split, answers, worst, columns=columns, encoding=encoding or AUTO
        )
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(sentence(error)) from None
    scores = found.metrics
    unknown = [name for name in metrics or () if name not in scores]
    if unknown:
        raise UsageError(f"there is no metric {shown(unknown[0])}; there are {', '.join(scores)}")
    wanted = {name: scores[name] for name in metrics or scores}
    if json:
        about = {"run": str(run), "data": path, "split": found.split, "answers": answers}
        notes = {"not_judged": list(found.notes), "remarks": list(found.remarks)}
        told = {"details": {**found.details.entries(), **notes}}
        print(json_module.dumps(about | {"examples": found.examples} | wanted | told))
    else:
        print("\n".join(evaluation_lines(found, wanted)))
    return 0
