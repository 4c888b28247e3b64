"""`regard demo`: the recipe `dates`, trained here and now, and shown."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard._printable import printable
from regard.cli.date_report import drawings, next_command, questions, samples, scores
from regard.errors import UsageError
from regard.run.carried_page import save_carried_page
from regard.run.display import Screen
from regard.run.preparing import task_of_trained
from regard.run.run import train
from regard.run.training import Options

PAGE = "demo.html"


def run(languages: Sequence[str] | None, seconds: float, out: Path, seed: int) -> int:
    """Train, save, evaluate, show."""
    # Matrices this small gain a third from a second thread, and lose nearly everything as soon as
    # another program wants that core: each of thousands of products a second waits for it.
    torch.set_num_threads(1)
    console = Screen(highlight=False, markup=False, soft_wrap=True)
    given: dict[str, Any] = {"seconds": seconds, "seed": seed}
    if languages is not None:
        given["languages"] = tuple(languages)
    try:
        # One answer to each date, as below, so that both say the same numbers.
        options = Options(num_answers=1)
        made = train(recipe="dates", out=out, resume="never", options=options, **given)
    except ImportError as error:
        raise UsageError(str(error)) from None
    if made.signal is not None:
        return 128 + made.signal
    with tempfile.TemporaryDirectory(prefix="regard-") as place:
        task: Any = task_of_trained(made.predictor, made.settings, None, Path(place), False)
        made.model.eval()
        records = task.examine("test", np.arange(task.size("test")))
    console.print(scores(task, records))
    console.print(samples(task, records))
    console.print(drawings(task))
    page = made.path / PAGE
    save_carried_page(page, made.predictor, questions(task), "dates")
    files = ", ".join(sorted(path.name for path in made.path.iterdir() if path.name[0] != "."))
    kept = f" ({out} existed already and is kept)" if made.path != out else ""
    console.print(f"In {made.path}{kept}: {files}.\n{next_command(task, made.path)}")
    console.print(printable(f"Or type in a browser, without Python: open {page}"))
    return 0
