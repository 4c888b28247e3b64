"""A law asked of many small cases in one test: each test of its own costs milliseconds.

Nothing here may import `regard`: `conftest.py` imports this.
"""

import functools
import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

Law = Callable[..., None]
Names = str | tuple[str, ...]
Cases = list[tuple[str, Any]]


def fix_seeds() -> None:
    """Let all random numbers begin where they begin for every test and every case."""
    random.seed(0)
    np.random.seed(0)
    # `torch.manual_seed` writes down a traceback for every kind of device that is not in use, which
    # takes half a millisecond.
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(0)


def all_in_one(
    names: Names, cases: Iterable[Any], ids: Callable[[Any], str] | Iterable[str] = str
) -> Callable[[Law], Law]:
    """Ask a law of all cases in one test, which names every one that breaks it.

    It is written like `pytest.mark.parametrize`. A case has seeds, an empty folder, patches and a
    generator of its own; other fixtures are shared.
    """
    given = list(cases)
    called = [ids(case) for case in given] if callable(ids) else list(ids)
    named = list(zip(called, given, strict=True))

    def made_of(law: Law) -> Law:
        @functools.wraps(law)
        def test(**given: Any) -> None:
            _ask(law, names, named, given)

        test.__signature__ = inspect.Signature(_others(law, names))  # type: ignore[attr-defined]
        return test

    return made_of


def one_by_one(names: Names, groups: Mapping[str, Mapping[str, Any]]) -> Callable[[Law], Law]:
    """Make such a test of each group: group → what a case is called → the case."""

    def made_of(law: Law) -> Law:
        @functools.wraps(law)
        def test(cases: Mapping[str, Any], **given: Any) -> None:
            _ask(law, names, list(cases.items()), given)

        cases = inspect.Parameter("cases", inspect.Parameter.KEYWORD_ONLY)
        given = [*_others(law, names), cases]
        test.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
        return pytest.mark.parametrize("cases", list(groups.values()), ids=list(groups))(test)

    return made_of


def _ask(law: Law, names: Names, cases: Cases, given: dict[str, Any]) -> None:
    faults: list[BaseException] = []
    skipped: list[pytest.skip.Exception] = []
    for number, (called, case) in enumerate(cases):
        asked = {names: case} if isinstance(names, str) else dict(zip(names, case, strict=True))
        fix_seeds()
        try:
            with _of_its_own(given, number) as own:
                law(**given | own | asked)
        except pytest.skip.Exception as why:
            skipped.append(why)
        except (Exception, pytest.fail.Exception, BaseExceptionGroup) as fault:
            fault.add_note(f"{names}: {called}")
            faults.append(fault)
    if len(faults) > 1:
        raise BaseExceptionGroup(f"{len(faults)} of {len(cases)} cases break it", faults)
    if faults:
        raise faults[0]
    if cases and len(skipped) == len(cases):
        raise skipped[0]


@contextmanager
def _of_its_own(given: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    own: dict[str, Any] = {}
    if "tmp_path" in given:
        own["tmp_path"] = Path(given["tmp_path"], str(number))
        own["tmp_path"].mkdir()
    if "generator" in given:
        own["generator"] = torch.Generator().manual_seed(0)
    with pytest.MonkeyPatch.context() as patches:
        if "monkeypatch" in given:
            own["monkeypatch"] = patches
        yield own


def _others(law: Law, names: Names) -> list[inspect.Parameter]:
    """What a law takes beside a case."""
    asked = {names} if isinstance(names, str) else set(names)
    given = inspect.signature(law).parameters
    assert asked <= set(given), f"{law.__name__} does not take {asked - set(given)}"
    return [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, one in given.items()
        if name not in asked
    ]
