"""`regard demo`: learn to read dates in every language, now, here, without a download."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from regard.cli.date_report import drawings, how_to_go_on, samples, scores
from regard.cli.mistake import Mistake
from regard.data.cldr_dates import languages as all_languages
from regard.data.tags import nearest
from regard.models.rnnsearch import RNNsearch
from regard.tasks.dates import BATCH_SIZE, LEARNING_RATE, Dates
from regard.train.display import Display
from regard.train.loop import Progress, TrainConfig, train
from regard.train.run_folder import log_metrics, new_run_folder

EXACT_EVERY = 10.0
"""Seconds between looks at how many answers are exact while training lasts."""
QUESTIONS = 2000
"""Questions at the end, on days that were never trained on; at least forty in each language."""


def run(languages: Sequence[str] | None, seconds: float, out: Path, seed: int) -> int:
    """Train, save, examine, show."""
    # Matrices this small gain a third from a second thread, and lose nearly everything as soon as
    # another program wants that core: each of thousands of products a second waits for it.
    torch.set_num_threads(1)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    task = Dates(_checked(languages))
    folder = _new_folder(out)
    console.print(_introduction(task, seconds, folder, out))
    torch.manual_seed(seed)
    model = task.model()
    config = TrainConfig(seconds=seconds, learning_rate=LEARNING_RATE)
    with _interrupted() as signals:
        progress = _train(console, task, model, config, folder, seed, signals)
    reader = task.reader(model.eval())
    reader.save(folder)
    if signals:
        console.print(
            f"Interrupted after {progress.seconds:.0f} of {seconds:g} s. The model as it is now is "
            f"in {folder}.\n{how_to_go_on(task, folder)}"
        )
        return 128 + signals[0]
    asked = task.examination("test", max(40, QUESTIONS // len(task.languages)), seed=2)
    right = task.exact(model, asked)
    log_metrics(folder, exact=float(right.mean()), by_language=task.by_language(right, asked))
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    console.print(scores(task, right, asked))
    console.print(samples(task, reader, asked))
    console.print(drawings(task, reader))
    console.print(f"The run is in {folder}: {files}.\n{how_to_go_on(task, folder)}")
    return 0


def _checked(languages: Sequence[str] | None) -> Sequence[str]:
    try:
        known = all_languages()
    except ImportError as error:
        raise Mistake(str(error)) from None
    for tag in languages or ():
        if tag not in known:
            raise Mistake(f"unknown language {tag!r}: {nearest(tag, known)}")
    return languages or known


def _new_folder(wanted: Path) -> Path:
    try:
        return new_run_folder(wanted)
    except (OSError, ValueError) as error:
        raise Mistake(f"--out {wanted} cannot be made: {error}") from None


def _introduction(task: Dates, seconds: float, folder: Path, wanted: Path) -> str:
    count = len(task.languages)
    which = f"any of {count} languages" if count > 1 else task.languages[0]
    kept = f" ({wanted} exists already and is kept)" if folder != wanted else ""
    return (
        f"Learning for {seconds:g} s to read a date written in {which} as YYYY-MM-DD.\n"
        f"The run is kept in {folder}{kept}; Ctrl-C ends it early and saves the model."
    )


@contextmanager
def _interrupted() -> Iterator[list[int]]:
    """The signals that ask us to stop, collected; a second one stops at once."""
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _train(
    console: Console,
    task: Dates,
    model: RNNsearch,
    config: TrainConfig,
    folder: Path,
    seed: int,
    signals: Sequence[int],
) -> Progress:
    asked = task.examination("valid", max(2, 600 // len(task.languages)), seed=1)
    exact, looked = None, time.monotonic()
    with Display(console) as display:

        def report(progress: Progress) -> None:
            nonlocal exact, looked
            if time.monotonic() - looked >= EXACT_EVERY or progress.spent == 1:
                exact, looked = float(task.exact(model, asked).mean()), time.monotonic()
            log_metrics(folder, **vars(progress), exact=exact)
            display.show(progress, exact)

        return train(
            model,
            lambda batch: task.loss(model, batch),
            task.batches(BATCH_SIZE, seed),
            config,
            report,
            stop=lambda: bool(signals),
        )
