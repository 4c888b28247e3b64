"""`regard eval`: how good is a trained model, on its own test data or on other data?"""

import json as json_module
from collections.abc import Sequence
from pathlib import Path

from regard._io.faults import sentence
from regard._printable import shown
from regard.errors import UsageError
from regard.run.display import metrics_line
from regard.run.run import Run


def run(
    run: Path,
    data: str | None,
    split: str | None,
    metrics: Sequence[str] | None,
    answers: int,
    json: bool,
) -> int:
    """Print the metrics; with `json`, one object."""
    try:
        found = Run(run)
        path = data or (found.settings.data.path if found.settings.data else "")
        chosen, count, scores = found.evaluation(data, split, answers)
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(sentence(error)) from None
    unknown = [name for name in metrics or () if name not in scores]
    if unknown:
        raise UsageError(f"there is no metric {shown(unknown[0])}; there are {', '.join(scores)}")
    wanted = {name: scores[name] for name in metrics or scores}
    if json:
        about = {"run": str(run), "data": path, "split": chosen, "answers": answers}
        print(json_module.dumps(about | {"examples": count} | wanted))
    else:
        print(f"{chosen} data, {count:,} examples: {metrics_line(wanted)}")
    return 0
