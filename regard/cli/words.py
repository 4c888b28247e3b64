"""The words of `regard train` as settings."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from regard._printable import shortened, shown
from regard.errors import UsageError
from regard.run.recipes import OLDER, USUAL, names

LONGEST = 10_000
"""Characters of a setting on the command line."""


def settings_of_words(
    recipe: str | None,
    given: Mapping[str, Any],
    assignments: Sequence[str],
    paths: Sequence[str],
) -> tuple[str | None, dict[str, Any]]:
    """The recipe and the single settings that were typed.

    Raises `UsageError` for an assignment without `=`, and for two values of `attention`.
    """
    recipe, paths = _path_or_recipe(recipe, paths)
    if paths:
        given = {**given, "data.path": "\n".join(dict.fromkeys(paths))}
    assigned = dict(map(assignment, assignments))
    _require_one_attention(given, assigned)
    return recipe, {**given, **assigned}


def _path_or_recipe(recipe: str | None, paths: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The recipe, and the paths: a path in the place of the recipe is data."""
    if recipe is None or recipe in (*names(), *USUAL, *OLDER):
        return recipe, paths
    is_path = os.path.exists(os.path.expanduser(recipe)) or any(mark in recipe for mark in "/\\*")
    if is_path or (Path(recipe).suffix and " " not in recipe):
        return None, [recipe, *paths]
    return recipe, paths


def assignment(text: str) -> tuple[str, Any]:
    """The setting and the value of `--set key=value`, the value as TOML has it, or as text.

    >>> assignment("learning_rate=1e-3"), assignment("pooling=hard(estimator=gumbel)")
    (('learning_rate', 0.001), ('pooling', 'hard(estimator=gumbel)'))
    >>> assignment("dropout=.5"), assignment("compile=True")
    (('dropout', 0.5), ('compile', True))
    >>> assignment("widths=2,3"), assignment("languages=en,fr")
    (('widths', [2, 3]), ('languages', 'en,fr'))
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set takes key=value, such as learning_rate=1e-3; got {shown(text)}")
    if len(text) > LONGEST:
        raise UsageError(
            f"--set {shortened(name.strip())} has {len(value):,} characters, more than "
            f"{LONGEST:,}; give it in a file (--config)"
        )
    try:
        return name.strip(), _of_toml(value.strip())
    except RecursionError:
        raise UsageError(f"--set {shortened(name.strip())} is nested too deeply") from None
    except ValueError:
        return name.strip(), _as_python_has_it(value.strip())


def _of_toml(text: str) -> Any:
    """One value as TOML writes it; raises `ValueError` for anything else, and for more than one."""
    found = tomllib.loads(f"value = {text}")
    if found.keys() != {"value"}:
        raise ValueError("it is several values")
    return found["value"]


def _require_one_attention(given: Mapping[str, Any], assigned: Mapping[str, Any]) -> None:
    """Raise `UsageError` for two values of `attention`, of which one would be lost.

    They may be meant as a score and as a kind of attention; who says `score` can have both.
    """
    both = [each["attention"] for each in (given, assigned) if "attention" in each]
    if len(both) == 2 and both[0] != both[1]:
        raise UsageError(
            f"attention is both {both[0]} (--attention) and {both[1]} (--set); say which of them "
            "is the score: --set score=NAME"
        )


def _as_python_has_it(text: str) -> Any:
    """Numbers with commas between, a number or a truth value as Python writes it; else the text."""
    if text in ("True", "False"):
        return text == "True"
    if text[:1] not in {*"+-.0123456789"}:
        return text
    with suppress(ValueError):
        return float(text)
    with suppress(ValueError):
        return _of_toml(f"[{text}]")
    return text
