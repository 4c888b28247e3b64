"""Every setting of a recipe, with its value and description: the keys of `--set`."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from regard.config import KIND, Config, alternatives, fields_of
from regard.run.recipes import recipe
from regard.run.settings import SECTIONS, defaults, kinds_of

Key = tuple[str, str, str]
"""The path of a setting, its value in the recipe or by default, and its description."""


def listed_settings(name: str) -> Iterator[Key]:
    """The settings of a recipe, section by section; raises `UsageError` for an unknown one.

    >>> found = {path: (value, what) for path, value, what in listed_settings("lstm")}
    >>> found["train.clip"]
    ('1.0', 'maximum norm of the gradient.')
    """
    table = recipe(name)
    kinds = kinds_of(table["task"]["name"], table["model"]["name"])
    for section in SECTIONS:
        if section in kinds:
            yield from _keys(kinds[section], (section,), table.get(section, {}))


def _keys(kind: type[Config], path: tuple[str, ...], given: Any) -> Iterator[Key]:
    said, usual = _sentences(kind), defaults(kind)
    for name, held in fields_of(kind).items():
        if name in kind.from_data:
            continue
        value = given.get(name, usual.get(name)) if isinstance(given, dict) else usual.get(name)
        yield ".".join((*path, name)), _plain(value), said.get(name, "")
        options = alternatives(held)
        for option in options:
            chosen = name if len(options) == 1 else f"{name}={option.tag}"
            inner = value if isinstance(value, dict) and value.get(KIND) == option.tag else {}
            yield from _keys(option, (*path, chosen), inner)


def _plain(value: Any) -> str:
    """A value as it is typed: `attention(attention_dim=50)`."""
    if hasattr(value, "to_plain"):
        value = value.to_plain()
    if isinstance(value, Config):
        value = {KIND: value.tag} | value.to_entries()
    if isinstance(value, dict):
        inner = ", ".join(f"{k}={_plain(v)}" for k, v in value.items() if k != KIND)
        return f"{value.get(KIND, '')}({inner})" if inner else str(value.get(KIND, "none"))
    if isinstance(value, (list, tuple)):
        return ",".join(map(_plain, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _sentences(kind: type[Config]) -> dict[str, str]:
    """What the docstring says of each field."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        text = inspect.cleandoc(each.__doc__ or "")
        for names, what in re.findall(
            r"^ {4}((?:\w+,\s+)*\w+):((?:.|\n {8})*)", text, re.MULTILINE
        ):
            found |= dict.fromkeys(re.findall(r"\w+", names), " ".join(what.split()))
    return found
