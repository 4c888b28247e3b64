"""The settings that a given name means, and what is said of one that is not there."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from regard._nearest import nearest
from regard._printable import shortened, shown
from regard._spelling import parse
from regard.config import KIND, Config, Positive, alternatives, checked, fields_of, walk
from regard.errors import UsageError
from regard.models import MODELS, model_class
from regard.parts import SCORES, SYNONYMS, PartOf, part_at
from regard.run.request import ALIASES
from regard.run.settings import SECTIONS, DataSettings, Place, places
from regard.tasks import TASKS, task_class

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


def assigned(key: str, value: Any, kinds: Mapping[str, type[Config]]) -> list[tuple[Place, Any]]:
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
        raise UsageError(unknown(key, kinds))
    least = min(map(len, found))
    found = [place for place in found if len(place) == least]
    if len({place[0] for place in found}) > 1:
        raise UsageError(
            f"{key} stands in {' and '.join(place[0] for place in found)}; write "
            f"{' or '.join('.'.join(place) for place in found)}"
        )
    return found


def unknown(key: str, kinds: Mapping[str, type[Config]]) -> str:
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


def require_known(
    section: str, entries: Mapping[str, Any], kinds: Mapping[str, type[Config]]
) -> None:
    """Raise `UsageError` for a key that the section does not have."""
    for key in entries:
        if key not in fields_of(kinds[section]):
            raise UsageError(unknown(f"{section}.{key}", kinds))
