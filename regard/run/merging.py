"""From a request to the settings of a run: merged once, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from regard._nearest import nearest
from regard._printable import shortened, shown
from regard._spelling import parse
from regard.config import KIND, Config, Positive, alternatives, checked, fields_of, walk
from regard.data.reading.corpus import Corpus
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.data.reading.text_encoding import AUTO
from regard.data.schema import ColumnKind, Schema
from regard.errors import UsageError
from regard.models import MODELS, model_class
from regard.parts import SCORES, SYNONYMS, PartOf, part_at
from regard.run.fine_tuning import Published
from regard.run.recipes import USUAL, brings_data, names, recipe, recipe_for, resolved
from regard.run.settings import (
    BUDGETS,
    ENDINGS,
    SECTIONS,
    DataSettings,
    Place,
    Settings,
    flat,
    kinds_of,
    laid,
    nested,
    places,
    settings_of,
    without_name,
)
from regard.run.sizes import DIAL, is_dial, size_asked, sized
from regard.run.starting import Origin, origin_of
from regard.tasks import TASKS, task_class

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

LONGEST_NAME = 200
"""Characters of a name that are compared with those there are."""
MOST_NAMED = 4
"""Networks that are named when a setting is theirs."""

RENAMED = {
    "summary": "pooling",
    "pool": "pooling",
    "word_summary": "word_pooling",
    "sentence_summary": "sentence_pooling",
    "align_dim": "attention_dim",
    "directions": "bidirectional",
    "narrowest": "widths",
    "widest": "widths",
    "ponder": "ponder_cost",
}
"""What settings were called in version 0.1; a message points to the name of now."""


class UnreadData(UsageError):
    """Data that cannot be read."""


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


def settings_for(
    request: Request, cache: Path | None, peek: bool = False, kept: Corpus | None = None
) -> tuple[Settings, Corpus | None]:
    """The settings of a run, including those determined by the data, and the data.

    Args:
        cache: where the data is cached.
        peek: of large data, read only the first rows.
        kept: the data, if it is not to be read.

    Raises `UsageError` for an unused setting, with the nearest names, and for data that cannot be
    read, with file and line.
    """
    base = recipe(request.recipe) if request.recipe else {}
    _check_names(request)
    _require_one_recipe(request, base)
    start = None if request.resumes else request.value("train", "start")
    origin = None if start is None else origin_of(str(start))
    if origin is not None and size_asked(request.given) is not None:
        raise UsageError(f"the network in {origin.path} has its size; leave {DIAL} out")
    if isinstance(origin, Origin):
        base = _continued(origin, request, base)
    task = request.named("task") or base.get("task", {}).get("name")
    if task is None and isinstance(origin, Published):
        task = origin.only_task
    entries, corpus = {}, None
    if task is not None:
        # Data may take long to read: what cannot be meant is said before.
        entries = _merged(_base(request, base, task, origin), request)
        settings_of(entries)
        if origin is not None:
            origin.require_same(entries)
    if task is None or task_class(task).schema is not None:
        corpus = kept or _corpus(_data(base, request), task, cache, request, peek)
        if not entries:
            entries = _merged(_base(request, base, corpus.task, origin), request)
            if origin is not None:
                origin.require_same(entries)
        entries = _decided(entries, corpus, request)
    return settings_of(entries), corpus


def _require_one_recipe(request: Request, base: Any) -> None:
    """Raise `UsageError` for a recipe beside a task or a network that are not its own."""
    sections = ("task",) if request.recipe in USUAL else ("task", "model")
    for section in sections if base else ():
        named, own_name = request.named(section), base[section]["name"]
        if named not in (None, own_name):
            raise UsageError(
                f"the recipe {resolved(str(request.recipe))} is for the {section} {own_name}, not "
                f"for {named}; leave out one of them"
            )


def _continued(origin: Origin, request: Request, base: Any) -> Any:
    """The recipe of a run that begins with another's network: its settings, but for training.

    Raises `UsageError` for another task or network.
    """
    own = {"task": origin.task_name, "model": origin.model_name}
    for section, own_name in own.items():
        of_recipe = base.get(section, {}).get("name") if request.recipe not in USUAL else None
        for named in (request.named(section), of_recipe):
            if named not in (None, own_name):
                raise UsageError(
                    f"the network in {origin.path} is {own['model']} for {own['task']}, not "
                    f"{named}; leave one of them out"
                )
    train = (base or recipe_for(own["task"], own["model"]))["train"]
    sections = dict(origin.sections)
    if request.value("data", "path") is not None:
        sections["data"] = {}
    return {**sections, "train": train}


def _base(request: Request, base: Any, task: str, origin: Origin | Published | None) -> Any:
    """The recipe that is followed: the one that was named, the usual one, or fine-tuning."""
    wanted = request.named("model")
    if isinstance(origin, Published):
        return origin.base(task, wanted, {} if request.recipe in USUAL else base)
    if not base or wanted not in (None, base["model"]["name"]):
        return recipe_for(task, wanted)
    return base


def _merged(base: Any, request: Request) -> dict[str, dict[str, Any]]:
    """The recipe, the tables and the single settings, laid over each other."""
    task, model = base["task"]["name"], base["model"]["name"]
    kinds = kinds_of(task, model)
    for section in (section for table in request.tables for section in table):
        if section not in SECTIONS:
            raise UsageError(
                f"there is no section [{shortened(section)}]; {nearest(section, SECTIONS)}"
            )
    for table in request.tables:
        _require_no_imports(table.get("model", {}))
    single_ones = [each for each in request.given if not is_dial(*each)]
    assigned = [each for key, value in single_ones for each in _assigned(key, value, kinds)]
    # Which alternative is meant comes before what it holds, in whatever order they were said: a
    # normalizer is not lost to a pooling that has none, but refused.
    assigned.sort(key=lambda each: len(each[0]))
    single = [nested(place, held) for place, held in assigned]
    entries: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    groups = [[base], *([each] for each in request.tables), single]
    not_asked_for = 2 if request.resumes else 1
    if (size := size_asked(request.given)) is not None:
        groups.insert(not_asked_for, [sized(size, base)])
        not_asked_for += 1
    for table in _one_budget(groups, not_asked_for):
        for section, given in table.items():
            named = without_name(section, given)
            if section in kinds:
                _require_known(section, named, kinds)
                entries[section] = laid(kinds[section], entries[section], named)
            else:
                entries[section] |= named
    entries["task"]["name"], entries["model"]["name"] = task, model
    return entries


def _require_no_imports(model: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a part in a file that would have to be imported."""
    for key, value in flat(model).items():
        of_a_run = key.endswith(".own")
        if isinstance(value, str) and ":" in value.partition("(")[0] and not of_a_run:
            raise UsageError(
                f"model.{shortened(key)} is {shown(value)} in a file, and a file imports nothing; "
                "give it on the command line or in Python"
            )


def _require_known(
    section: str, entries: Mapping[str, Any], kinds: Mapping[str, type[Config]]
) -> None:
    """Raise `UsageError` for a key that the section does not have."""
    for key in entries:
        if key not in fields_of(kinds[section]):
            raise UsageError(_unknown(f"{section}.{key}", kinds))


def _assigned(key: str, value: Any, kinds: Mapping[str, type[Config]]) -> list[tuple[Place, Any]]:
    """The places that a single setting goes to, and what goes there."""
    if key == "minutes":
        return [(("train", "seconds"), seconds_in(value))]
    if key == "attention" and not _is_alternative(kinds, value):
        key = _score_key(kinds, value)
    found = _resolved(ALIASES.get(key, key), kinds)
    return [(place, _imported(place, value, kinds)) for place in found if place[-1] != "name"]


def seconds_in(minutes: Any) -> float:
    """The setting `minutes` as `seconds`; raises `UsageError` unless it is a number above 0."""
    try:
        return 60 * float(checked("minutes", minutes, Positive))
    except (ValueError, TypeError) as error:
        raise UsageError(f"[train] {error}") from None


def _is_alternative(kinds: Mapping[str, type[Config]], value: Any) -> bool:
    """Whether `attention=...` names a kind of attention that the network has, not a score."""
    if not isinstance(value, str):
        return not callable(value)
    return _named_in(value) in _attentions(kinds)


def _attentions(kinds: Mapping[str, type[Config]]) -> list[str]:
    """The kinds of attention that a network has by name."""
    hint = fields_of(kinds["model"]).get("attention")
    options = alternatives(hint)
    if len(options) == 1:
        return []
    return [each.tag for each in options] or list(get_args(hint))


def _score_key(kinds: Mapping[str, type[Config]], value: Any) -> str:
    """The setting that `attention=...` means where it is no kind of attention: the score.

    Raises `UsageError` for a name that is neither.
    """
    attentions = _attentions(kinds)
    has_score = any(path[-1] == "score" for path, _ in walk(kinds["model"]))
    if not has_score and attentions:
        return "attention"
    name = _named_in(value) if isinstance(value, str) and ":" not in value else None
    if has_score and attentions and name is not None and name not in SCORES:
        hint = nearest(name, [*attentions, *SCORES], SYNONYMS)
        raise UsageError(f"there is no attention {shown(name)}: {hint}")
    return "score"


def _named_in(text: str) -> str | None:
    try:
        return parse(text).name
    except ValueError:
        return None


def _resolved(key: str, kinds: Mapping[str, type[Config]]) -> list[Place]:
    """The places that a name means: the least deep, all of them within one section."""
    parts = tuple(key.split("."))
    known = list(dict.fromkeys(places(kinds)))
    if parts[0] in SECTIONS and len(parts) > 1:
        found = [place for place in known if place == parts]
    else:
        found = [place for place in known if place[-len(parts) :] == parts]
    if not found:
        raise UsageError(_unknown(key, kinds))
    least = min(map(len, found))
    found = [place for place in found if len(place) == least]
    if len({place[0] for place in found}) > 1:
        raise UsageError(
            f"{key} stands in {' and '.join(place[0] for place in found)}; write "
            f"{' or '.join('.'.join(place) for place in found)}"
        )
    return found


def _unknown(key: str, kinds: Mapping[str, type[Config]]) -> str:
    """What is said of a setting that no one here reads."""
    key, name = shortened(key), key.split(".")[-1][:LONGEST_NAME]
    model, task = kinds["model"], kinds["task"]
    if name in model.from_data:
        return f"{name} is decided by the data; leave it out"
    if name in fields_of(DataSettings) and "data" not in kinds:
        return f"the task {task.tag} makes its own data; leave {name} out"
    known = {place[-1]: ".".join(place) for place in places(kinds)}
    if key.endswith(f".{KIND}"):
        return f"there is no setting {key}; write {key.removesuffix(f'.{KIND}')}=NAME"
    if name in known and key.split(".")[0] in SECTIONS:
        return f"there is no setting {key}; write {known[name]}"
    owners = "" if RENAMED.get(name) in known else _owners(name)
    if owners:
        near = get_close_matches(name, list(known), 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"the model {model.tag} and the task {task.tag} have no {name}, {owners}{hint}"
    hint = nearest(name, known, RENAMED)
    if not hint.startswith("did you mean"):
        # All there is would be too much to read.
        listed = [*fields_of(model), *fields_of(task)]
        hint = f"there are {', '.join(each for each in listed if each in known)} and more"
    return f"there is no setting {key}; {hint}"


def _owners(name: str) -> str:
    """Which networks or else tasks have a setting of this name: `the model memory has`."""
    configs = {
        "model": {each: model_class(each).config_type for each in MODELS},
        "task": {each: task_class(each).settings_type for each in TASKS},
    }
    for word, found in configs.items():
        having = [each for each, kind in found.items() if any(p[-1] == name for p, _ in walk(kind))]
        if len(having) == 1:
            return f"the {word} {having[0]} has"
        if having:
            more = len(having) - MOST_NAMED
            *first, last = having if more < 1 else [*having[:MOST_NAMED], f"{more} more"]
            return f"the {word}s {', '.join(first)} and {last} have"
    return ""


def _imported(place: Place, value: Any, kinds: Mapping[str, type[Config]]) -> Any:
    """A part of the user's own, `module:name`, imported; anything else as it is."""
    if not isinstance(value, str) or ":" not in value.partition("(")[0]:
        return value
    role = next((_role(hint) for path, hint in walk(kinds[place[0]]) if path == place[1:]), None)
    try:
        return value if role is None else part_at(value, role)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _role(hint: Any) -> str | None:
    """The role of a part that a field holds, if it holds one."""
    for each in (hint, *get_args(hint)):
        if get_origin(each) is Annotated:
            for mark in get_args(each)[1:]:
                if isinstance(mark, PartOf):
                    return mark.role
    return None


def _one_budget(groups: Sequence[Sequence[Any]], not_asked_for: int) -> list[Any]:
    """All tables, of whose budgets only those of the last group that has any stay.

    Who gives a budget gets it: what a recipe says of ending earlier or later does not stay either.

    Args:
        not_asked_for: how many of the first groups are recipes.
    """
    last = max((n for n, group in enumerate(groups) if _has_budget(group)), default=-1)
    return [
        table if n >= last else without(table, BUDGETS + (ENDINGS if n < not_asked_for else ()))
        for n, group in enumerate(groups)
        for table in group
    ]


def _has_budget(tables: Sequence[Any]) -> bool:
    return any(set(BUDGETS) & table.get("train", {}).keys() for table in tables)


def without(table: Any, names: Sequence[str]) -> Any:
    """Sections, without these settings of training."""
    train = {key: value for key, value in table.get("train", {}).items() if key not in names}
    return {**table, **({"train": train} if "train" in table else {})}


def _check_names(request: Request) -> None:
    """Raise `UsageError` for a task or a network that is not there, before any data is read."""
    for section, known in (("task", TASKS), ("model", MODELS)):
        name = request.named(section)
        if name is not None and (not isinstance(name, str) or name not in known):
            raise UsageError(f"there is no {section} {shown(name)}: {nearest(str(name), known)}")


def _data(base: Any, request: Request) -> DataSettings:
    """What is to be read, before it has said what it is."""
    entries = dict(base.get("data", {}))
    for table in request.tables:
        entries |= table.get("data", {})
    for key, value in request.given:
        name = ALIASES.get(key, key).removeprefix("data.")
        if name in fields_of(DataSettings) and "." not in name:
            entries[name] = value
    try:
        found = DataSettings.from_entries(entries)
    except (ValueError, TypeError) as error:
        raise UsageError(f"[data] {error}") from None
    if not found.path:
        bring = ", ".join(name for name in names() if brings_data(name))
        raise UsageError(
            f"say what to learn from (--data PATH), or a recipe that brings its own data: {bring}"
        )
    return found


def _corpus(
    data: DataSettings, task: str | None, cache: Path | None, request: Request, peek: bool
) -> Corpus:
    schemas = known_schemas()
    try:
        return read_corpus(data, task, cache, schemas, peek)
    except (OSError, ImportError) as error:
        raise UnreadData(str(error)) from None
    except ValueError as error:
        if request.recipe in (None, task) or request.named("task") is not None:
            raise UnreadData(str(error)) from None
        recipe_name = resolved(str(request.recipe))
        raise UnreadData(
            f"{error} (read for {task}, because that is what the recipe {recipe_name} is for; "
            f"another recipe, or none, if {data.path} is something else)"
        ) from None


def known_schemas() -> list[Schema]:
    """The schemas of all tasks that read data."""
    return [found.schema for found in map(task_class, TASKS) if found.schema is not None]


def read_corpus(
    data: DataSettings,
    task: str | None,
    cache: Path | None,
    schemas: Sequence[Schema],
    peek: bool = False,
    as_trained: bool = False,
    known: Sequence[str] = (),
) -> Corpus:
    """The data of a run; raises `ValueError` with the file and the line."""
    request = DataRequest(
        tuple(schemas),
        task,
        tuple((option, name) for option, name in data.columns.items() if name),
        data.encoding,
        as_trained,
        merged=data.labels == "merged",
        by_label=data.hold_out == "label",
        known=tuple(known),
        readable=data.unreadable == "leave_out",
    )
    return read(data.path, request, cache=cache, streaming=data.streaming, peek=peek)


def _require_acting(schema: Schema, request: Request) -> None:
    """Raise `UsageError` for a setting of labels or pictures where the task's data has none."""
    idle: dict[str, str] = {}
    if schema.label is None:
        idle["labels"] = "is for labels, and the task {} has none"
    if not schema.divides_labels:
        lacks = "has none" if schema.label is None else "divides its data without them"
        idle["hold_out"] = f"is for labels, and the task {{}} {lacks}"
    if all(column.kind is not ColumnKind.IMAGE for column in schema.columns):
        idle["unreadable"] = "is for pictures, and the task {} has none"
    for name, why in idle.items():
        in_tables = request.in_tables("data", name)
        other = in_tables not in (None, getattr(DataSettings, name)) and not request.resumes
        if other or request.gives("data", name):
            raise UsageError(f"data.{name} {why.format(schema.task)}; leave it out")


def _decided(entries: Any, corpus: Corpus, request: Request) -> Any:
    """The settings with what the data itself decides."""
    schema = task_class(corpus.task).schema
    _require_acting(schema, request)
    if schema.parallel:
        source, target = corpus.names[:2]
        entries["data"] |= {"source": source, "target": target}
    for role, name in zip(schema.columns, corpus.columns, strict=False):
        if name:
            entries["data"][role.asked] = name
    if entries["data"].get("encoding", AUTO) == AUTO:
        entries["data"]["encoding"] = corpus.encoding
    asked = any("evaluate_every" in table.get("train", {}) for table in request.tables)
    asked = asked or any(key.endswith("evaluate_every") for key, _ in request.given)
    if entries["data"].get("streaming") and not asked:
        # A stream has no end at which all processes could evaluate.
        entries["train"]["evaluate_every"] = 1000
    return entries
