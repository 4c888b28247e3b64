"""From a request to the settings of a run: merged once, in one place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regard._nearest import nearest
from regard._printable import shortened, shown
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError
from regard.models import MODELS
from regard.run.corpora import corpus_of, data_asked, decided_by
from regard.run.fine_tuning import Published
from regard.run.recipes import USUAL, recipe, recipe_for, resolved
from regard.run.request import Request
from regard.run.setting_names import assigned, require_known
from regard.run.settings import (
    BUDGETS,
    ENDINGS,
    SECTIONS,
    Settings,
    flat,
    kinds_of,
    laid,
    nested,
    settings_of,
    without_name,
)
from regard.run.sizes import DIAL, is_dial, size_asked, sized
from regard.run.starting import Origin, origin_of
from regard.tasks import TASKS, task_class


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
        corpus = kept or corpus_of(data_asked(base, request), task, cache, request, peek)
        if not entries:
            entries = _merged(_base(request, base, corpus.task, origin), request)
            if origin is not None:
                origin.require_same(entries)
        entries = decided_by(entries, corpus, request)
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
    given = [each for each in request.given if not is_dial(*each)]
    single = [each for key, value in given for each in assigned(key, value, kinds)]
    # Which alternative is meant comes before what it holds, in whatever order they were said: a
    # normalizer is not lost to a pooling that has none, but refused.
    single.sort(key=lambda each: len(each[0]))
    last = [nested(place, held) for place, held in single]
    entries: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    groups = [[base], *([each] for each in request.tables), last]
    not_asked_for = 2 if request.resumes else 1
    if (size := size_asked(request.given)) is not None:
        groups.insert(not_asked_for, [sized(size, base)])
        not_asked_for += 1
    for table in _one_budget(groups, not_asked_for):
        for section, given in table.items():
            named = without_name(section, given)
            if section in kinds:
                require_known(section, named, kinds)
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
