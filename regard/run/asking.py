"""A call as a request: from its arguments, a file and the settings of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from regard._io.files import require_shallow
from regard._printable import shortened
from regard.data.encoding.trusted import require_texts
from regard.errors import UsageError
from regard.run.request import Request
from regard.run.saved_settings import CONFIG, settings_in
from regard.run.settings import read_toml


def asked(
    recipe: str | None,
    resume: str,
    config: Path | None,
    settings: Mapping[str, Any],
) -> Request:
    """The request of a call of `train`, with `data` and `task` among the settings."""
    tables: list[Any] = []
    if resume not in ("auto", "never"):
        tables.append(run_settings(Path(resume)))
    if config is not None:
        tables.append(read_toml(config))
    if isinstance(settings.get("model"), nn.Module):
        raise UsageError(
            "model is a network of your own: give the task that trains it, such as "
            "task=Classify(data, model)"
        )
    given = tuple(
        (key, str(value) if isinstance(value, Path) else value)
        for key, value in settings.items()
        if value is not None
    )
    for key, value in given:
        try:
            require_shallow(value)
            require_texts(value)
        except ValueError as error:
            raise UsageError(f"{shortened(key)}: {error}") from None
    return Request(recipe, tables, given, resumes=resume not in ("auto", "never"))


def run_settings(folder: Path) -> Any:
    """The sections of a run's settings; raises `UsageError` when the folder has none."""
    if not (folder / CONFIG).is_file():
        raise UsageError(
            f"there is no run in {folder}, its {CONFIG} is missing; resume=auto, never, or the "
            "folder of a run (--resume)"
        )
    settings = settings_in(folder)
    if not settings.model:
        raise UsageError(
            f"{folder} trains a network of your own, {settings.model_name}: resume it in Python, "
            f"with regard.train(task=..., resume={str(folder)!r})"
        )
    return settings.entries()
