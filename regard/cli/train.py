"""`regard train`: the words of the command line, given to `regard.train`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from regard._printable import message
from regard.cli.words import settings_of_words
from regard.errors import UsageError
from regard.run.run import train
from regard.run.training import Options
from regard.training.launch import launch
from regard.training.ranks import LostRank


def run(
    recipe: str | None,
    given: Mapping[str, Any],
    config: Path | None,
    assignments: Sequence[str],
    out: Path | None,
    resume: str,
    machine: Mapping[str, Any],
    paths: Sequence[str] = (),
) -> int:
    """Train, alone or with other processes; returns the exit code."""
    if machine["devices"] > 1 and "RANK" not in os.environ:
        return launch(machine["devices"], sys.argv[1:])
    if machine["threads"]:
        torch.set_num_threads(machine["threads"])
    if machine["workers"] > (cores := os.cpu_count() or 1):
        raise UsageError(
            f"--workers {machine['workers']} are more than the {cores} cores of this machine"
        )
    recipe, settings = settings_of_words(recipe, given, assignments, paths)
    options = Options(
        shard=machine["shard"],
        workers=machine["workers"],
        timeout=machine["timeout"],
        progress=not machine["quiet"],
        data_as_trained=machine["data_as_trained"],
    )
    try:
        made = train(
            recipe=recipe, out=out, resume=resume, config=config, options=options, **settings
        )
    except LostRank as error:
        _leave_the_lost(error)
    return 0 if made.signal is None else 128 + made.signal


def _leave_the_lost(error: LostRank) -> NoReturn:
    """End this process here and now, with the reason.

    What holds the connections cannot be taken down in order: it would wait for the lost process,
    and whoever started us all would wait for this one.
    """
    print(message(f"regard: {error}"), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
