"""What is asked of a run, before any of it is merged or read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ALIASES = {
    "data": "data.path",
    "path": "data.path",
    "task": "task.name",
    "model": "model.name",
    "lr": "train.learning_rate",
    "start": "train.start",
    "batch": "task.batch_tokens",
}
"""Short names of settings that everybody gives."""


@dataclass(frozen=True)
class Request:
    """A request for a run.

    Args:
        recipe: the name of a recipe or of a task.
        tables: whole sections, from files; later ones win.
        given: single settings, by name or with their section (`model.norm`), in order; they
            override tables. `attention` and `normalizer` are those of the network, wherever it has
            them; values are Python's, or text as on the command line.
        resumes: whether the first of the tables is that of the run being resumed.
    """

    recipe: str | None = None
    tables: Sequence[Mapping[str, Mapping[str, Any]]] = ()
    given: Sequence[tuple[str, Any]] = field(default=())
    resumes: bool = False

    def named(self, section: str) -> str | None:
        """The task or the network requested by name."""
        return self.value(section, "name")

    def value(self, section: str, name: str) -> Any:
        """The requested value of one setting, None if there is none."""
        found = self.in_tables(section, name)
        for key, value in self.given:
            if ALIASES.get(key, key) == f"{section}.{name}":
                found = value
        return found

    def in_tables(self, section: str, name: str) -> Any:
        """The value of one setting in the tables, None if there is none."""
        found = None
        for table in self.tables:
            found = table.get(section, {}).get(name, found)
        return found

    def gives(self, section: str, name: str) -> bool:
        """Whether a setting was given individually."""
        return any(ALIASES.get(key, key) in (name, f"{section}.{name}") for key, _ in self.given)
