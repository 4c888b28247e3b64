"""How well does RNNsearch read dates of unseen days after two minutes on this machine?

The recipe of `regard demo`, for several seeds: all languages, 120 s of training (data generation
included), then 80 questions in each language on days that were never trained on in any language.

    python -m benchmarks.dates [--seeds 5] [--seconds 120]

Before anything is timed, the fast dates are compared with Babel's own and the splits with each
other. The time limit makes the score depend on the machine: run it on a quiet one.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import babel.dates
import numpy as np
import torch

from benchmarks.measure import save
from benchmarks.runs import facts, finished_run
from regard import Run
from regard.data.synthetic.cldr_dates import FORMATS
from regard.data.synthetic.days import day, days_of
from regard.run.recipes import recipe
from regard.tasks.dates import COMMON, Dates, DatesSettings, by_language

PER_LANGUAGE = 80


def check(languages: tuple[str, ...], made: Any) -> None:
    """Assert that the questions are what they are said to be."""
    asked = made.questions("test", len(FORMATS), seed=1)
    texts = made.dates.texts(asked.templates, asked.days)
    for text, template, number in zip(texts, asked.templates, asked.days, strict=True):
        tag, form = languages[template // len(FORMATS)], FORMATS[template % len(FORMATS)]
        assert text == f"<{tag}> {babel.dates.format_date(day(int(number)), form, locale=tag)}"
    assert not set(days_of("train")) & set(days_of("test"))


def examined(run: Run, count: int) -> dict[str, Any]:
    """Ask so many questions in each language; count exact answers by format and by language."""
    settings = DatesSettings(test_questions=PER_LANGUAGE * count)
    task = Dates.of(run.predictor, {}, run.path, settings)
    records = task.examine("test", np.arange(task.size("test")))
    formats = task.data.examples["test"].templates % len(FORMATS)
    right = np.array([record["answer"] == record["target"] for record in records])
    return {
        **task.score("test", records),
        "exact_by_format": {f: float(right[formats == i].mean()) for i, f in enumerate(FORMATS)},
        "worst_ten": dict(list(by_language(records).items())[:10]),
        "questions": len(records),
    }


def row(seed: int, seconds: float, count: int) -> dict[str, Any]:
    """Train as `regard demo` does, and examine once; the processor's time is all of training's."""
    processor = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run = finished_run(
            None, Path(folder) / "run", recipe="dates", seconds=seconds, seed=seed, resume="never"
        )
        used = time.process_time() - processor
        return {
            "seed": seed,
            **examined(run, count),
            "steps": run.history[-1]["step"],
            "seconds": run.metrics["train"]["seconds"],
            "processor_seconds": used,
            "parameters": facts(run)["parameters"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = Dates.prepare()
    languages = made.dates.languages
    check(languages, made)
    runs = []
    for seed in range(options.seeds):
        runs.append(row(seed, options.seconds, len(languages)))
        print(
            f"seed {seed}: {runs[-1]['exact']:.2%} of {runs[-1]['questions']:,} exact, "
            f"{runs[-1]['exact_common']:.2%} in the {len(COMMON)} languages with most speakers, "
            f"{runs[-1]['steps']} steps in {runs[-1]['seconds']:.1f} s",
            flush=True,
        )
    save(
        "dates",
        runs,
        question="exact answers on unseen days after a fixed time of training",
        languages=len(languages),
        common=COMMON,
        batch_size=DatesSettings().batch_size,
        recipe=recipe("dates"),
        babel=babel.__version__,
        lowest_exact=min(run["exact"] for run in runs),
        lowest_exact_common=min(run["exact_common"] for run in runs),
    )


if __name__ == "__main__":
    main()
