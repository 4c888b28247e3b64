"""What `regard demo` says when it is done: how well, on what, where it looked, how to go on."""

import os
import sys
from pathlib import Path
from shlex import quote
from shutil import which

import numpy as np

from regard.data.cldr_dates import FORMATS
from regard.data.days import day, days_of
from regard.tasks.date_reader import DateReader
from regard.tasks.dates import COMMON, Dates, Examination
from regard.view.terminal import LEFT_TO_RIGHT, alignment, printable

SAMPLES = 10
DRAWN = ("fr", "ar", "zh")
"""Languages whose alignments are drawn, if they were trained on: three scripts, three orders."""


def scores(task: Dates, right: np.ndarray, asked: Examination) -> str:
    """Exact answers overall, in the commonest languages and in the worst."""
    shares = task.by_language(right, asked)
    common = [shares[tag] for tag in COMMON if tag in shares]
    lines = [
        f"\n{len(right):,} dates of days that it never trained on, in no language: "
        f"{_percent(float(right.mean()))} exact."
    ]
    if 0 < len(common) < len(shares):
        mean = sum(common) / len(common)
        lines.append(f"The {len(common)} of them with most speakers: {_percent(mean)} exact.")
    worst = ", ".join(f"{tag} {_percent(share)}" for tag, share in list(shares.items())[:10])
    lines.append(f"{'The ten worst' if len(shares) > 10 else 'Each language'}: {worst}.\n")
    return "\n".join(lines)


def samples(task: Dates, reader: DateReader, asked: Examination) -> str:
    """Some of the questions with their answers, right or wrong."""
    rows = np.random.default_rng(0).choice(len(asked.days), SAMPLES, replace=False)
    texts = task.dates.texts(asked.templates[rows], asked.days[rows])
    lines = []
    for text, number, answer in zip(texts, asked.days[rows], reader.read(texts), strict=True):
        wanted, found = day(int(number)).isoformat(), answer.answers[0][0]
        mark = "" if found == wanted else f"  (wrong, it is {wanted})"
        lines.append(f"  {found}  <-  {LEFT_TO_RIGHT}{printable(text)}{LEFT_TO_RIGHT}{mark}")
    return "\n".join([*lines, ""])


def drawings(task: Dates, reader: DateReader) -> str:
    """The alignment of one day of the test split in three languages."""
    tags = list(dict.fromkeys([*(tag for tag in DRAWN if tag in task.languages), *task.languages]))
    full = [task.languages.index(tag) * len(FORMATS) for tag in tags[:3]]
    # A day of three different numbers, so that one can tell which of them was looked at.
    days = [n for n in days_of("test") if day(n).year == 2026 and day(n).day > 12]
    texts = task.dates.texts(np.array(full), np.repeat(days[:1], len(full)))
    drawn = [
        f"{LEFT_TO_RIGHT}{printable(text)}{LEFT_TO_RIGHT}\n"
        f"{alignment(answer.weights, answer.outputs, answer.inputs)}\n"
        for text, answer in zip(texts, reader.read(texts), strict=True)
    ]
    return "\n".join(["Where it looked (down: what it read; across: what it wrote):\n", *drawn])


def how_to_go_on(task: Dates, folder: Path) -> str:
    """A command to try next, with a language that the model knows."""
    tag = "fr" if "fr" in task.languages else task.languages[0]
    day_of_march = np.array([20880])
    (text,) = task.dates.texts(np.array([task.languages.index(tag) * 4]), day_of_march)
    return f'Try your own: {_program()} predict {quote(str(folder))} "{printable(text)}"'


def _program() -> str:
    """What to type for this program: its path where the shell would not find its name."""
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m regard"
    return "regard" if which("regard") else quote(os.path.relpath(sys.argv[0]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
