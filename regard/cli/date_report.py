"""What `regard demo` says when it is done: how well, on what, by what attention, what to try."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from shutil import which

import numpy as np

from regard._printable import printable
from regard.data.synthetic.cldr_dates import FORMATS
from regard.data.synthetic.days import day, days_of
from regard.tasks.dates import COMMON, Dates, by_language
from regard.tasks.task import Record
from regard.view.terminal import LEFT_TO_RIGHT, alignment

SAMPLES = 10
LANGUAGES_ASKED = 24


def scores(task: Dates, records: Sequence[Record]) -> str:
    """Exact answers overall, in the commonest languages and in the worst."""
    shares = by_language(records)
    shown = task.score("test", records)
    lines = [
        f"\n{len(records):,} dates of days that were held out in every language: "
        f"{_percent(shown['exact'])} exact."
    ]
    common = sum(tag in shares for tag in COMMON)
    if 0 < common < len(shares):
        mean = _percent(shown["exact_common"])
        lines.append(f"The {common} of them with most speakers: {mean} exact.")
    worst = ", ".join(f"{tag} {_percent(share)}" for tag, share in list(shares.items())[:10])
    lines.append(f"{'The ten worst' if len(shares) > 10 else 'Each language'}: {worst}.\n")
    return "\n".join(lines)


def samples(task: Dates, records: Sequence[Record]) -> str:
    """Some of the questions with their answers, right or wrong."""
    asked = task.data.examples["test"]
    rows = np.random.default_rng(0).choice(len(records), SAMPLES, replace=False)
    texts = task.data.dates.texts(asked.templates[rows], asked.days[rows])
    lines = []
    for text, row in zip(texts, rows, strict=True):
        right, found = day(int(asked.days[row])).isoformat(), records[row]["answer"]
        mark = "" if found == right else f"  (wrong, it is {right})"
        lines.append(f"  {found}  <-  {LEFT_TO_RIGHT}{printable(text)}{LEFT_TO_RIGHT}{mark}")
    return "\n".join([*lines, ""])


def drawings(task: Dates) -> str:
    """What the network attended to in the texts that are always shown."""
    answers = task.predictor.predict([text for text, _ in task.shown(3)])
    drawn = [
        f"{LEFT_TO_RIGHT}{printable(answer.text)}{LEFT_TO_RIGHT}\n"
        f"{alignment(answer.weights, answer.outputs, answer.inputs)}\n"
        for answer in answers
        if answer.weights is not None
    ]
    return "\n".join(["What it attended to (down: what it read; across: what it wrote):\n", *drawn])


def questions(task: Dates) -> list[str]:
    """Texts for a page to begin with: those that are always shown, and one in other languages."""
    rng = np.random.default_rng(0)
    count = len(task.languages)
    chosen = rng.permutation(count)[:LANGUAGES_ASKED]
    templates = chosen * len(FORMATS) + rng.integers(len(FORMATS), size=len(chosen))
    texts = task.data.dates.texts(templates, rng.choice(days_of("test"), len(chosen)))
    return list(dict.fromkeys([*(str(text) for text, _ in task.shown(3)), *texts]))


def next_command(task: Dates, folder: Path) -> str:
    """A command to try next, with a language that the model knows."""
    tag = "fr" if "fr" in task.languages else task.languages[0]
    day_of_march = np.array([20880])
    (text,) = task.data.dates.texts(np.array([task.languages.index(tag) * 4]), day_of_march)
    return f'Try your own: {_program()} predict {quote(str(folder))} "{printable(text)}"'


def _program() -> str:
    """What to type for this program: its path where the shell would not find its name."""
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m regard"
    return "regard" if which("regard") else quote(os.path.relpath(sys.argv[0]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
