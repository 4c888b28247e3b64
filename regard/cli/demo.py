"""`regard demo`: the recipe `dates`, trained here and now, and shown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from regard._io.files import write_whole
from regard.cli.date_report import drawings, how_to_go_on, samples, scores
from regard.cli.layering import CONFIG
from regard.cli.mistake import Mistake
from regard.cli.opening import describe
from regard.cli.predict import loaded
from regard.cli.preparation import task_of
from regard.cli.recipes import DATES
from regard.cli.settings import Settings, settings_of
from regard.data.synthetic.cldr_dates import languages as all_languages
from regard.data.synthetic.tags import nearest
from regard.tasks.dates import Dates
from regard.train.display import Display
from regard.train.loop import Trainer
from regard.train.ranks import Ranks
from regard.train.run_folder import new_run_folder
from regard.train.signals import graceful


def run(languages: Sequence[str] | None, seconds: float, out: Path, seed: int) -> int:
    """Train, save, examine, show."""
    # Matrices this small gain a third from a second thread, and lose nearly everything as soon as
    # another program wants that core: each of thousands of products a second waits for it.
    torch.set_num_threads(1)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    settings = settings_of(
        DATES,
        {
            "data": {"languages": tuple(_checked(languages))},
            "train": {"seconds": seconds, "seed": seed},
        },
    )
    folder = _new_folder(out)
    write_whole(folder / CONFIG, settings.toml().encode())
    task = task_of(settings, None, folder)
    assert isinstance(task, Dates)
    describe(folder, settings, task, None, Ranks())
    console.print(_introduction(settings, folder, out))
    with graceful() as signals, Display(console) as display:
        trainer = Trainer(
            task,
            settings.train,
            folder,
            Ranks(),
            asked=lambda: signals.asked,
            show=display.show,
        )
        signal = trainer.train()
    if signal is not None:
        console.print(
            f"Interrupted after {trainer.course.seconds:.0f} of {seconds:g} s. The model as it is "
            f"now is in {folder}.\n{how_to_go_on(task, folder)}"
        )
        return 128 + signal
    task.predictor = loaded(folder)
    records = task.examine("test", np.arange(task.size("test")))
    trainer.keeper.scores("test", trainer.course, task.score("test", records))
    trainer.keeper.draw()
    console.print(scores(task, records))
    console.print(samples(task, records))
    console.print(drawings(task))
    files = ", ".join(sorted(path.name for path in folder.iterdir() if path.name[0] != "."))
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


def _introduction(settings: Settings, folder: Path, wanted: Path) -> str:
    languages = settings.data.languages
    which = f"any of {len(languages)} languages" if len(languages) > 1 else languages[0]
    kept = f" ({wanted} exists already and is kept)" if folder != wanted else ""
    return (
        f"Learning for {settings.train.seconds:g} s to read a date written in {which} as "
        f"YYYY-MM-DD.\nThe run is kept in {folder}{kept}; Ctrl-C ends it early and saves the model."
    )
