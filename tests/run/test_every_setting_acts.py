"""Every setting changes what happens, or is refused by name: all pairs of recipe and setting."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest

from regard.config import Between, alternatives, fields_of, walk
from regard.data.schema import SPLITS
from regard.errors import UsageError
from regard.models.vision_blocks import BlockName
from regard.parts import PartOf
from regard.run.merging import settings_for
from regard.run.preparing import task_of
from regard.run.recipes import names, recipe
from regard.run.request import Request
from regard.run.settings import ROLES, kinds_of, places
from regard.tasks.classify.class_weights import Weighing
from regard.training.hooks import TrainerHooks
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from tests.run.tiny import SMALL, data_of, few_rows

PARTS = {
    "score": ("cosine(0.1)", "general", "dot", "inverse_distance"),
    "normalizer": ("sparsemax", "sigmoid"),
    "score_mod": ("soft_cap(0.01)", "relative_bias"),
    "mask": ("sliding_window(0)", "block(1)"),
}
"""What a part is exchanged for, the first that changes something."""

CHANGES_NO_NUMBER = {
    "train.compile": "the same numbers, compiled",
    "train.recompute": "the same numbers, in less memory",
    "train.max_skips": "acts when a loss is not finite",
    "train.save_every_minutes": "acts on when a checkpoint is written",
    "train.patience": "acts when evaluations do not improve",
    "train.patience_steps": "acts when evaluations do not improve",
    "train.least_steps": "acts where the budget is epochs",
    "train.start": "acts where there is a run to begin with",
    "task.eval_batch_size": "the same numbers, in less memory",
    "model.memory_length": "acts on a call with a memory, see tests/parity/test_xlnet.py",
    "model.reuse_length": "acts on a call with a memory, see tests/parity/test_xlnet.py",
    "model.same_length": "acts on a call with a memory, see tests/parity/test_xlnet.py",
    "model.pad": "is written for others, see tests/parity",
    "model.begin": "acts where a text is written after nothing, see tests/parity",
    "task.edges": "acts on masks with antialiased edges, see tests/data/test_masks.py",
    "task.soft_epochs": "acts on a hard attention, see tests/tasks/test_caption.py",
    "data.streaming": "the same numbers, read from the disk",
    "data.encoding": "acts on files that have another encoding",
    "data.labels": "acts on labels of several spellings",
    "data.unreadable": "acts on pictures that cannot be read, see tests/data/test_unreadable.py",
    **{f"data.{role}": "names a column, see tests/data/test_roles.py" for role in ROLES},
}
"""Settings that act on something else than numbers, each with a test of its own elsewhere."""

OF_THE_BODY = {("cifar_vit", "model.pooler"), ("cifar_vit", "model.summary_activation")}
"""What the body has alone: a ViT that tells classes, as published, reads its first token as is."""

QUICK = "lstm"
"""The recipe that is asked in the fast tests, and for the settings that all have."""


def every_pair() -> list[tuple[str, str]]:
    """List all pairs of a recipe and a setting that its task, network and training have."""
    pairs = []
    for name in names():
        table = recipe(name)
        kinds = kinds_of(table["task"]["name"], table["model"]["name"])
        found = {".".join(place) for place in places(kinds) if place[-1] != "name"}
        pairs += [(name, place) for place in sorted(found)]
    return pairs


def happens(name: str, place: str = "", value: Any = None) -> str:
    """What happens with a recipe on tiny data, where one setting has a value if one is given.

    Nothing is said of the options of what stands at that place, for another thing has others.
    """
    kept = {k: v for k, v in SMALL[name].items() if k not in options_of(name, place)}
    more = ((place, value),) if value is not None else ()
    return _happens(name, (*kept.items(), ("steps", 3), *more))


@cache
def _happens(name: str, given: tuple[tuple[str, Any], ...]) -> str:
    """Three updates, an evaluation and an answer, as one digest of all that came of them."""
    data = data_of(name)
    path = (("data", str(data)),) if data else ()
    digest = hashlib.sha256()
    with few_rows(), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings, corpus = settings_for(Request(name, (), (*path, *given)), None)
        task = task_of(settings, corpus, folder, Ranks())
        trainer = Trainer(task, settings.train, folder, Ranks(), hooks=TrainerHooks())
        trainer.train()
        scores = trainer.test(2)
        for tensor in task.model.state_dict().values():
            digest.update(tensor.double().numpy().tobytes())
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            entry = json.loads(line)
            # How often "train" is written, the clock decides.
            if entry["kind"] == "valid" or entry.get("event") == "averaged":
                entry.pop("seconds", None)
                digest.update(json.dumps(entry).encode())
        sizes = [task.size(split) for split in SPLITS]
        digest.update(json.dumps([scores, sizes]).encode())
        digest.update((folder / "best" / "task.json").read_bytes())
        inputs = [each for each, _ in task.fixed][:1]
        for answer in task.predictor.predict(inputs, 2):
            weights = [] if answer.weights is None else answer.weights.tolist()
            digest.update(json.dumps([answer.answers, answer.inputs, weights]).encode())
    return digest.hexdigest()


def hints_of(name: str, place: str) -> list[Any]:
    """The types that a setting of a recipe may have."""
    table = recipe(name)
    kinds = kinds_of(table["task"]["name"], table["model"]["name"])
    section, *path = place.split(".")
    return [hint for found, hint in walk(kinds[section]) if list(found) == path] if path else []


def options_of(name: str, place: str) -> set[str]:
    """The names of the options of all that may stand at a place."""
    return {o for h in hints_of(name, place) for kind in alternatives(h) for o in fields_of(kind)}


def others(name: str, place: str) -> Iterator[Any]:
    """List values of the setting, the plainest first; one may be what the recipe has."""
    for hint in hints_of(name, place):
        yield from _others(hint)


def _others(hint: Any) -> Iterator[Any]:
    for option in alternatives(hint):
        needed = [n for n in fields_of(option) if not hasattr(option, n)]
        if not needed:
            yield option.tag
    if alternatives(hint):
        return
    if hint == Weighing:
        yield "balanced"
    elif hint == BlockName:
        yield from ("se(reduction=2)", "se")
    elif get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        for mark in marks:
            if isinstance(mark, PartOf):
                yield from PARTS[mark.role]
                return
        bounds = next(mark for mark in marks if isinstance(mark, Between))
        for value in (7, 24, 3, 60, 5, 2, 1) if base is int else (0.37, 0.9, 2.5, 0.001):
            if bounds.least <= value <= bounds.most and bounds.above < value < bounds.below:
                yield base(value)
    elif get_origin(hint) is Literal:
        yield from get_args(hint)
    elif NoneType in get_args(hint):
        yield from (
            each for kind in get_args(hint) if kind is not NoneType for each in _others(kind)
        )
    elif hint is bool:
        yield from (True, False)
    elif hint is str:
        yield "x"
    elif get_origin(hint) is tuple:
        yield "en,de"


def asked(recipe: str | None = None) -> list[tuple[str, str]]:
    """List the pairs whose values change numbers; `[train]` is one for all and asked of one."""
    pairs = [
        (name, place)
        for name, place in every_pair()
        # Where one thing alone may stand, its options are what can be chosen.
        if place not in CHANGES_NO_NUMBER
        and (name, place) not in OF_THE_BODY
        and not all(len(alternatives(hint)) == 1 for hint in hints_of(name, place))
    ]
    if recipe is None:
        return [pair for pair in pairs if pair[0] != QUICK and not pair[1].startswith("train.")]
    return [pair for pair in pairs if pair[0] == recipe]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), asked())
def test_a_setting_changes_what_happens_or_is_refused(name: str, place: str) -> None:
    assert _acts(name, place), f"{place} changes nothing in {name}"


@pytest.mark.parametrize(("name", "place"), asked(QUICK))
def test_a_setting_of_one_recipe_acts(name: str, place: str) -> None:
    assert _acts(name, place), f"{place} changes nothing in {name}"


def _acts(name: str, place: str) -> bool:
    """Whether one of the setting's other values changes something, or all are refused."""
    refused = same = 0
    for value in others(name, place):
        try:
            if happens(name, place, value) != happens(name, place):
                return True
            same += 1
        except (UsageError, ValueError):
            refused += 1
    # Of alternatives, one is what the recipe has.
    return refused > 0 and same <= bool(options_of(name, place))


@pytest.mark.parametrize("name", [QUICK, pytest.param("dates", marks=pytest.mark.slow)])
def test_the_same_happens_twice(name: str) -> None:
    before = happens(name)
    _happens.cache_clear()
    assert happens(name) == before


def test_all_exceptions_are_settings() -> None:
    known = {place for _, place in every_pair()}
    assert set(CHANGES_NO_NUMBER) <= known


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("memory", {"smoothing": 0.3}),
        ("memory", {"tokens.size": 100}),
        ("memory", {"batch": 99}),
        ("transformer_lm", {"batch": 9999}),
        ("dates", {"data": "x.csv"}),
        ("din", {"estimator": "reinforce"}),
        ("youtube_dnn", {"negatives": 3}),
        ("lstm", {"vocab": 9}),
        ("lstm", {"hops": 3}),
        ("cnn", {"attention": "additive"}),
    ],
)
def test_what_no_one_reads_cannot_be_said(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        settings_for(Request(name, (), tuple(given.items())), None)
