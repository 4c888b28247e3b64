"""The settings that a run's folder keeps, whichever version wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.errors import UsageError
from regard.models import MODELS
from regard.run.older import READ_BEFORE, upgraded_sections
from regard.run.settings import DataSettings, Settings, read_toml, settings_of, without_name
from regard.tasks import task_class
from regard.training.config import TrainConfig

CONFIG = "config.toml"


def settings_in(folder: Path) -> Settings:
    """The settings of a run, also of one that an older version trained.

    Where a task was given as an object, nothing is known of its network but the name, and of its
    data nothing at all.

    Raises `UsageError` for settings that this version does not know.
    """
    entries = upgraded_sections(read_toml(folder / CONFIG))
    named = entries.get("model", {}).get("name")
    if named is None or _says_its_network(entries):
        return settings_of(entries)
    try:
        task = task_class(entries["task"]["name"])
        return Settings(
            data=None if task.schema is None else DataSettings(),
            task_name=task.name,
            task=task.settings_type.from_entries(without_name("task", entries["task"])),
            model_name=named,
            model={},
            train=TrainConfig.from_entries(entries["train"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder / CONFIG}: {error}") from None


def entries_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The sections of a run's settings, with what has a default where they say the network."""
    entries = upgraded_sections(read_toml(folder / CONFIG))
    return settings_of(entries).entries() if _says_its_network(entries) else entries


def _says_its_network(entries: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a network can be built of the settings: of a task that was given the name is all."""
    model = entries.get("model", {})
    return model.get("name") in MODELS and len(model) > 1


def read_before(folder: Path) -> list[tuple[str, Any]]:
    """How the data of a run that is there already was read, where it does not say it itself."""
    if not (folder / CONFIG).is_file():
        return []
    data = read_toml(folder / CONFIG).get("data", {})
    return [
        (f"data.{key}", value) for key, value in READ_BEFORE.items() if data and key not in data
    ]
