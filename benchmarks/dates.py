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
from regard.cli.assembly import load_predictor
from regard.cli.preparation import task_of
from regard.cli.recipes import DATES
from regard.cli.settings import settings_of
from regard.data.synthetic.cldr_dates import FORMATS, languages
from regard.data.synthetic.days import day, days_of
from regard.tasks.dates import BATCH_SIZE, COMMON, Dates, by_language
from regard.train.loop import Trainer
from regard.train.ranks import Ranks
from regard.train.run_folder import BEST


def check(task: Dates) -> None:
    """Assert that the questions are what they are said to be."""
    asked = task.examination("test", len(FORMATS), seed=1)
    texts = task.dates.texts(asked.templates, asked.days)
    for text, template, number in zip(texts, asked.templates, asked.days, strict=True):
        tag, form = task.languages[template // len(FORMATS)], FORMATS[template % len(FORMATS)]
        assert text == f"<{tag}> {babel.dates.format_date(day(int(number)), form, locale=tag)}"
    assert not set(days_of("train")) & set(days_of("test"))


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Train as `regard demo` does, and examine once."""
    settings = settings_of(DATES, {"train": {"seconds": seconds, "seed": seed}})
    processor = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        task: Any = task_of(settings, None, Path(folder))
        trainer = Trainer(task, settings.train, Path(folder), Ranks())
        trainer.train()
        used = time.process_time() - processor
        task.predictor = load_predictor(Path(folder) / BEST)
    task.asked["test"] = task.examination("test", 80, seed=2)
    records = task.examine("test", np.arange(task.size("test")))
    formats = task.asked["test"].templates % len(FORMATS)
    right = np.array([record["right"] for record in records])
    return {
        "seed": seed,
        **task.score("test", records),
        "exact_by_format": {f: float(right[formats == i].mean()) for i, f in enumerate(FORMATS)},
        "worst_ten": dict(list(by_language(records).items())[:10]),
        "steps": trainer.course.step,
        "seconds": trainer.course.seconds,
        "processor_seconds": used,
        "questions": len(records),
        "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = Dates(languages())
    check(task)
    runs = []
    for seed in range(options.seeds):
        runs.append(run(seed, options.seconds))
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
        languages=len(task.languages),
        common=COMMON,
        batch_size=BATCH_SIZE,
        recipe=DATES,
        babel=babel.__version__,
        lowest_exact=min(run["exact"] for run in runs),
        lowest_exact_common=min(run["exact_common"] for run in runs),
    )


if __name__ == "__main__":
    main()
