"""How well does RNNsearch read dates of unseen days after two minutes on this machine?

The recipe of `regard demo`, for several seeds: all languages, 120 s of training (data generation
included), then 80 questions in each language on days that were never trained on in any language.

    python -m benchmarks.dates [--seeds 5] [--seconds 120]

Before anything is timed, the fast dates are compared with Babel's own and the splits with each
other. The time limit makes the score depend on the machine: run it on a quiet one.
"""

import argparse
import time
from typing import Any

import babel.dates
import numpy as np
import torch

from benchmarks.measure import save
from regard.data.cldr_dates import FORMATS, languages
from regard.data.days import day, days_of
from regard.tasks.dates import BATCH_SIZE, COMMON, LEARNING_RATE, Dates
from regard.train.loop import TrainConfig, train


def check(task: Dates) -> None:
    """Assert that the questions are what they are said to be."""
    asked = task.examination("test", len(FORMATS), seed=1)
    texts = task.dates.texts(asked.templates, asked.days)
    for text, template, number in zip(texts, asked.templates, asked.days, strict=True):
        tag, form = task.languages[template // len(FORMATS)], FORMATS[template % len(FORMATS)]
        assert text == f"<{tag}> {babel.dates.format_date(day(int(number)), form, locale=tag)}"
    assert not set(days_of("train")) & set(days_of("test"))


def run(task: Dates, seed: int, seconds: float) -> dict[str, Any]:
    """Train and examine once."""
    torch.manual_seed(seed)
    model = task.model()
    processor = time.process_time()
    progress = train(
        model,
        lambda batch: task.loss(model, batch),
        task.batches(BATCH_SIZE, seed),
        TrainConfig(seconds=seconds, learning_rate=LEARNING_RATE),
    )
    used = time.process_time() - processor
    asked = task.examination("test", 80, seed=2)
    right = task.exact(model.eval(), asked)
    shares = task.by_language(right, asked)
    formats = asked.templates % len(FORMATS)
    return {
        "seed": seed,
        "exact": float(right.mean()),
        "exact_common": float(np.mean([shares[tag] for tag in COMMON])),
        "exact_by_format": {f: float(right[formats == i].mean()) for i, f in enumerate(FORMATS)},
        "worst_ten": dict(list(shares.items())[:10]),
        "steps": progress.step,
        "seconds": progress.seconds,
        "processor_seconds": used,
        "questions": len(right),
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
        runs.append(run(task, seed, options.seconds))
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
        parameters=sum(weight.numel() for weight in task.model().parameters()),
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        babel=babel.__version__,
        lowest_exact=min(run["exact"] for run in runs),
        lowest_exact_common=min(run["exact_common"] for run in runs),
    )


if __name__ == "__main__":
    main()
