"""All settings of a run: where they are, how they override each other, what they become."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from regard._io.files import read_file, require_shallow
from regard._nearest import nearest
from regard._printable import shortened, shown
from regard._spelling import parse
from regard.config import KIND, Config, alternatives, checked, fields_of, plain, walk
from regard.data.reading.text_encoding import AUTO
from regard.errors import UsageError
from regard.models import MODELS, model_class
from regard.run.toml import as_toml
from regard.tasks import task_class
from regard.tasks.task import Task
from regard.training.config import TrainConfig

Table = Mapping[str, Mapping[str, Any]]
Place = tuple[str, ...]

SECTIONS = ("data", "task", "model", "train")
MAX_TOML_BYTES = 2**20
BUDGETS = ("epochs", "steps", "seconds")
ENDINGS = ("patience", "patience_steps", "least_steps")
"""Settings other than a budget that determine when a run ends."""


@dataclass(frozen=True, kw_only=True)
class DataSettings(Config):
    """The data to learn from.

    Args:
        path: a file, a folder, a pattern (`reviews/*.csv`), `hf:owner/name` or `synthetic:NAME`;
            several files are one per line.
        source, target: languages, or the two columns of a task with two.
        text, label, left, right, user, item, rating, time, category, context, question, answer,
            support, start, answers, image, masks, caption, boxes: the columns of a table that play
            these roles; several text columns are separated by commas and joined.
        encoding: of text files; `auto` detects it from their bytes.
        labels: `merged` merges those that differ only in case or spaces, `exact` keeps all.
        hold_out: if there is no validation data, hold out an equal share of each `label`, or of
            all rows by their `hash`.
        unreadable: what becomes of images that are damaged or none: `stop` with the name of the
            first one, or `leave_out` their rows, which are counted and named.
        streaming: read while training, for data larger than the disk.
    """

    tag = "data"

    path: str = ""
    source: str = ""
    target: str = ""
    text: str = ""
    label: str = ""
    left: str = ""
    right: str = ""
    user: str = ""
    item: str = ""
    rating: str = ""
    time: str = ""
    category: str = ""
    context: str = ""
    question: str = ""
    answer: str = ""
    support: str = ""
    start: str = ""
    answers: str = ""
    image: str = ""
    masks: str = ""
    caption: str = ""
    boxes: str = ""
    encoding: str = AUTO
    labels: Literal["merged", "exact"] = "merged"
    hold_out: Literal["label", "hash"] = "label"
    unreadable: Literal["stop", "leave_out"] = "stop"
    streaming: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """The columns that were assigned roles."""
        return {role: name for role in ROLES if (name := getattr(self, role))}


_NO_ROLES = ("path", "encoding", "labels", "hold_out", "unreadable", "streaming")
ROLES = tuple(name for name in fields_of(DataSettings) if name not in _NO_ROLES)
"""The settings that assign roles to columns."""


@dataclass(frozen=True)
class Settings:
    """Everything that defines a run.

    Args:
        data: the data to learn from; None if the task generates its own.
        task_name, task: the task and its options.
        model_name, model: the network and its options, without those determined by the data.
        train: budget, learning rate and optimizer.
    """

    data: DataSettings | None
    task_name: str
    task: Config
    model_name: str
    model: Mapping[str, Any]
    train: TrainConfig

    def entries(self) -> dict[str, dict[str, Any]]:
        """The sections of `config.toml`."""
        data = {} if self.data is None else {"data": self.data.to_entries()}
        kinds = fields_of(model_class(self.model_name).config_type)
        model = {name: plain(value, kinds[name]) for name, value in self.model.items()}
        return {
            **data,
            "task": {"name": self.task_name, **self.task.to_entries()},
            "model": {"name": self.model_name, **model},
            "train": self.train.to_entries(),
        }

    def toml(self) -> str:
        """The text of `config.toml`."""
        return as_toml(self.entries())

    def network(self, sizes: Mapping[str, Any]) -> Any:
        """A new network, with the sizes determined by the data.

        Raises `UsageError` for options that do not fit together.
        """
        kind = model_class(self.model_name)
        decided = {name: sizes[name] for name in kind.config_type.from_data if name in sizes}
        try:
            return kind(kind.config_type.from_entries({**self.model, **decided}))
        except (ValueError, TypeError) as error:
            raise UsageError(f"[model] {error}") from error


@dataclass(frozen=True)
class OwnSettings:
    """The settings of a run whose task was given as an object."""

    task: Task
    train: TrainConfig

    @property
    def task_name(self) -> str:
        """The task."""
        return self.task.name

    @property
    def model_name(self) -> str:
        """The network, by its class if it is not one of ours."""
        config = getattr(self.task.model, "config", None)
        tag = getattr(config, "tag", None)
        return tag if tag in MODELS else type(self.task.model).__name__

    def entries(self) -> dict[str, dict[str, Any]]:
        """The sections of `config.toml`."""
        return {
            "task": {"name": self.task.name, **self.task.settings.to_entries()},
            "model": {"name": self.model_name},
            "train": self.train.to_entries(),
        }

    def toml(self) -> str:
        """The text of `config.toml`."""
        return as_toml(self.entries())


@runtime_checkable
class AnySettings(Protocol):
    """What defines a run, whether its task was built here or passed in."""

    @property
    def task_name(self) -> str: ...

    @property
    def model_name(self) -> str: ...

    @property
    def train(self) -> TrainConfig: ...

    def entries(self) -> dict[str, dict[str, Any]]: ...

    def toml(self) -> str: ...


def kinds_of(task: str, model: str) -> dict[str, type[Config]]:
    """The type of each section."""
    found = task_class(task)
    data = {} if found.schema is None else {"data": DataSettings}
    return {
        **data,
        "task": found.settings_type,
        "model": model_class(model).config_type,
        "train": TrainConfig,
    }


def settings_of(entries: Table) -> Settings:
    """The settings from whole sections, including `task.name` and `model.name`.

    Raises `UsageError` for an unknown section or key, with the nearest names, and a wrong value.
    """
    for section in entries:
        if section not in SECTIONS:
            raise UsageError(
                f"there is no section [{shortened(section)}]; {nearest(section, SECTIONS)}"
            )
    task, model = entries["task"].get("name"), entries["model"].get("name")
    try:
        kinds = kinds_of(str(task), str(model))
    except ValueError as error:
        raise UsageError(str(error)) from None
    made = {}
    for section, kind in kinds.items():
        made[section] = _section(section, kind, without_name(section, entries.get(section, {})))
    if "data" not in kinds and (stray := [key for key in entries.get("data", {})]):
        raise UsageError(f"{task} makes its own data: leave out {', '.join(stray)}")
    return Settings(
        data=made.get("data"),
        task_name=str(task),
        task=made["task"],
        model_name=str(model),
        model=made["model"],
        train=made["train"],
    )


def without_name(section: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """A section's settings, without the name of the task or network."""
    named = section in ("task", "model")
    return {key: value for key, value in entries.items() if not (named and key == "name")}


def _section(section: str, kind: type[Config], entries: Mapping[str, Any]) -> Any:
    """One section's settings; of a network those that the data does not decide, as entries."""
    known = {k: v for k, v in fields_of(kind).items() if k not in kind.from_data}
    for key in entries:
        if key not in known:
            if key in kind.from_data:
                raise UsageError(f"{section}.{key} is decided by the data; leave it out")
            raise UsageError(
                f"there is no setting {section}.{shortened(key)}; {nearest(key, known)}"
            )
    try:
        if kind.from_data:
            return _entries_of(kind, entries)
        return kind.from_entries(entries)
    except (ValueError, TypeError) as error:
        raise UsageError(f"[{section}] {error}") from None


def _entries_of(kind: type[Config], entries: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a network but those that the data decides, checked one by one."""
    found = {}
    for name, value in defaults(kind).items():
        if name not in kind.from_data:
            found[name] = checked(name, entries.get(name, value), fields_of(kind)[name])
    return found


def defaults(kind: type[Config]) -> dict[str, Any]:
    """The defaults of a Config's fields that have one."""
    return {name: getattr(kind, name) for name in fields_of(kind) if hasattr(kind, name)}


def laid(kind: type[Config], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Entries overridden by others, recursively.

    A different alternative replaces the previous one's settings; the same one keeps them.
    """
    merged = dict(old)
    for key, value in new.items():
        options = alternatives(fields_of(kind).get(key))
        if not options or value is None:
            merged[key] = value
            continue
        usual = _as_entries(key, defaults(kind).get(key), options)
        before = _as_entries(key, merged.get(key), options) or usual
        after = _as_entries(key, value, options)
        tag = after.get(KIND, before.get(KIND)) if len(options) > 1 else None
        option = next((each for each in options if each.tag == tag), options[0])
        if len(options) > 1 and after.get(KIND, before.get(KIND)) != before.get(KIND):
            merged[key] = after
        else:
            merged[key] = laid(option, before, after)
        if tag in (None, option.tag):
            _require_fields(key, option, after, options)
    return merged


def _require_fields(
    name: str, option: type[Config], entries: Mapping[str, Any], options: Sequence[type[Config]]
) -> None:
    """Raise `UsageError` for a key that this alternative does not have, naming those that do."""
    for key in entries:
        if key == KIND and len(options) > 1 or key in fields_of(option):
            continue
        having = [each.tag for each in options if key in fields_of(each)]
        if having and len(options) > 1:
            listed = " and ".join(filter(None, [", ".join(having[:-1]), having[-1]]))
            raise UsageError(
                f"{name} {option.tag} has no {key}; {name} {listed} "
                f"{'have' if len(having) > 1 else 'has'} one"
            )
        known = fields_of(option)
        hint = nearest(key, known) if known else f"{name} {option.tag} has no settings"
        raise UsageError(f"there is no {name}.{shortened(key)}; {hint}")


def _as_entries(name: str, value: Any, options: Sequence[type[Config]]) -> dict[str, Any]:
    """What a field with alternatives holds, as entries: from an object, a table or a spelling."""
    if value is None:
        return {}
    if isinstance(value, Config):
        tagged = {KIND: value.tag} if len(options) > 1 else {}
        # Not `to_entries`, where a part of the user's own is its name alone.
        return {**tagged, **{key: getattr(value, key) for key in fields_of(type(value))}}
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str):
        listed = ", ".join(each.tag for each in options)
        raise UsageError(f"{name} must be one of {listed}, got {shown(value)}")
    try:
        spelled = parse(value)
    except ValueError as error:
        raise UsageError(str(error)) from None
    option = next((each for each in options if each.tag == spelled.name), None)
    if option is None and len(options) == 1:
        held = list(fields_of(options[0]))
        raise UsageError(
            f"{name} holds {', '.join(held)}: set one of them, such as {name}.{held[0]}; "
            f"got {shown(value)}"
        )
    named = list(fields_of(option)) if option else []
    if option and len(spelled.args) > len(named):
        raise UsageError(
            f"{name} {option.tag} takes {len(named)} values at most, got {len(spelled.args)}"
        )
    given = {**dict(zip(named, spelled.args, strict=False)), **spelled.kwargs}
    return {**({KIND: spelled.name} if len(options) > 1 else {}), **given}


def nested(path: Place, value: Any) -> dict[str, Any]:
    """A value at a path, as nested tables.

    >>> nested(("model", "pooling", "normalizer"), "sparsemax")
    {'model': {'pooling': {'normalizer': 'sparsemax'}}}
    """
    for key in reversed(path):
        value = {key: value}
    return value


def places(kinds: Mapping[str, type[Config]]) -> Iterator[Place]:
    """The path of every setting, its section first; includes `name` of task and model."""
    for section in SECTIONS:
        if section in ("task", "model"):
            yield (section, "name")
        if section in kinds:
            decided = kinds[section].from_data
            for path, _ in walk(kinds[section]):
                if path[0] not in decided:
                    yield (section, *path)


def flat(entries: Mapping[str, Any], path: Place = ()) -> dict[str, Any]:
    """Every value by its dotted path.

    >>> flat({"model": {"pooling": {"kind": "mean"}}})
    {'model.pooling.kind': 'mean'}
    """
    found: dict[str, Any] = {}
    for key, value in entries.items():
        if isinstance(value, Mapping):
            found |= flat(value, (*path, key))
        elif value is not None:
            found[".".join((*path, key))] = value
    return found


def differences(old: Table, new: Table) -> list[str]:
    """Every setting that differs, as `key is OLD in the run and NEW now`."""
    was, now = flat(old), flat(new)
    return [
        f"{key} is {shown(was.get(key))} in the run and {shown(now.get(key))} now"
        for key in dict.fromkeys([*was, *now])
        if was.get(key) != now.get(key)
    ]


def read_toml(path: Path) -> dict[str, dict[str, Any]]:
    """The sections of a file; raises `UsageError` when it cannot be read."""
    try:
        found = tomllib.loads(read_file(path, MAX_TOML_BYTES).decode())
        require_shallow(found)
    except RecursionError:
        raise UsageError(f"{path} cannot be read: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        said = why.removeprefix(f"{path} cannot be read: ")
        raise UsageError(f"{path} cannot be read: {shortened(said, 200)}") from None
    loose = [key for key, value in found.items() if not isinstance(value, dict)]
    if loose:
        listed = ", ".join(f"[{name}]" for name in SECTIONS)
        raise UsageError(
            f"{path}: {shortened(loose[0])} stands in no section; put it under one of {listed}"
        )
    return found
