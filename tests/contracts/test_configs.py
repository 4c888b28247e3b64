"""What every Config of the package owes: one spelling, one declaration, bounds and documentation.

A new Config is found by itself; where it cannot be made without arguments, it adds an example.
"""

import importlib
import json
import math
import os
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, get_args, get_origin

import pytest

import regard
from regard._spelling import parse
from regard.config import Between, Config, alternatives, checked, fields_of
from regard.generation.filters import (
    ForceFirst,
    KeepMinP,
    KeepTopK,
    KeepTopP,
    RepetitionPenalty,
)
from regard.models.albert import AlbertSizes
from regard.models.bert import BertSizes
from regard.models.llama import YaRN
from regard.models.memory import OfficialPositionEncoding
from regard.models.transformer.config import Blocks
from regard.training.config import TrainConfig
from tests.one_by_one import all_in_one
from tests.tables.models import ROWS

EXAMPLES: list[Config] = [
    *(row.config for row in ROWS.values()),
    KeepTopK(3),
    KeepTopP(0.5),
    KeepMinP(0.1),
    RepetitionPenalty(1.2),
    ForceFirst(3),
    BertSizes(vocab=9),
    AlbertSizes(vocab=9),
    YaRN(factor=4.0, trained=64),
    OfficialPositionEncoding(max_words=7),
    TrainConfig(steps=3),
]


def kinds() -> Iterator[type[Config]]:
    """Every Config of the package."""
    names = [module.name for module in pkgutil.walk_packages(regard.__path__, "regard.")]
    # Two processes begin at two ends: loops that one has compiled, the other finds.
    second = os.environ.get("PYTEST_XDIST_WORKER", "gw0").endswith(("1", "3", "5", "7", "9"))
    for name in reversed(names) if second else names:
        importlib.import_module(name)
    left = [Config]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind not in (Config, Blocks) and kind.__module__.startswith("regard."):
            yield kind


KINDS = {f"{kind.__module__}.{kind.__name__}": kind for kind in kinds()}
every = all_in_one("kind", KINDS.values(), ids=KINDS)


def examples(kind: type[Config]) -> list[Config]:
    """Some of a kind: those above, and the usual one if there is one."""
    found = [example for example in EXAMPLES if type(example) is kind]
    return found or [kind()]


def numbers(kind: type[Config]) -> Iterator[tuple[str, type, list[Between]]]:
    """The fields that hold a number, and their bounds; of tuples and of what may be None, too."""
    for name, hint in fields_of(kind).items():
        for each in (hint, *(get_args(hint) if get_origin(hint) is not Annotated else ())):
            if each in (int, float):
                yield name, each, []
            elif get_origin(each) is Annotated and get_args(each)[0] in (int, float):
                base, *marks = get_args(each)
                yield name, base, [mark for mark in marks if isinstance(mark, Between)]


@every
def test_entries_json_and_text_give_the_same_config(kind: type[Config]) -> None:
    for example in examples(kind):
        entries = example.to_entries()
        assert kind.from_entries(json.loads(json.dumps(entries))) == example
        assert checked("it", example.spelled(), kind) == example
        assert checked("it", {**entries}, kind) == example
        assert hash(replace(example)) == hash(example)


@every
def test_it_is_called_by_a_word_that_text_can_say(kind: type[Config]) -> None:
    assert parse(kind.tag).name == kind.tag and kind.tag == kind.tag.lower()


@every
def test_alternatives_have_different_names(kind: type[Config]) -> None:
    for name, hint in fields_of(kind).items():
        tags = [option.tag for option in alternatives(hint)]
        assert len(set(tags)) == len(tags), name
        may_be_none = type(None) in get_args(hint)
        assert not (may_be_none and "none" in tags), f"{name}: none would be two things"


@every
def test_what_the_data_decides_are_fields(kind: type[Config]) -> None:
    assert set(kind.from_data) <= set(fields_of(kind))


@every
def test_every_field_is_documented(kind: type[Config]) -> None:
    documented = "\n".join(each.__doc__ or "" for each in kind.__mro__ if issubclass(each, Config))
    missing = [n for n in fields_of(kind) if n not in documented and n != kind.tag]
    assert not missing


@every
def test_every_number_has_bounds_and_one_beyond_them_is_refused_with_both(
    kind: type[Config],
) -> None:
    example = examples(kind)[0]
    for name, base, bounds in numbers(kind):
        assert bounds, f"{name} is a number without bounds"
        (bound,) = bounds
        beyond = {
            base(edge) + step
            for edge, step in ((bound.least, -1), (bound.most, 1))
            if math.isfinite(edge)
        } | {base(edge) for edge in (bound.above, bound.below) if math.isfinite(edge)}
        assert beyond, f"{name} has no bound at all"
        for value in beyond:
            several = isinstance(getattr(example, name), tuple)
            entries = example.to_entries() | {name: [value] if several else value}
            with pytest.raises(
                ValueError, match=rf"{name}.* must be .*, got {value}".replace("+", ".")
            ):
                kind.from_entries(entries)


@every
def test_what_is_no_number_or_truth_where_one_stands_is_refused_by_name(kind: type[Config]) -> None:
    example = examples(kind)[0]
    plain = {name for name, _, _ in numbers(kind)}
    plain |= {name for name, hint in fields_of(kind).items() if hint is bool}
    for name in plain:
        with pytest.raises(TypeError, match=f"{name}.* must be"):
            kind.from_entries(example.to_entries() | {name: object()})
