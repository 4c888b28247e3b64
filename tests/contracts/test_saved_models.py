"""A saved network is the network, its parts included; anything else is refused with a sentence."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor

import regard
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.masks import SlidingWindow
from regard.models import MODELS, model_class
from regard.models.checkpoint import save_own
from regard.normalizers import Entmax
from regard.parts import ROLES, canonical
from regard.score_mods import RelativeBias, SoftCap
from regard.scores import Bilinear, Dot
from tests.one_by_one import all_in_one
from tests.tables.models import FIRST, ROWS, WIDTH, Row, alone, places, with_value

every = all_in_one("row", ROWS.values(), ids=ROWS)
NUMBERED = {
    "location": "location(num_keys=14)",
    "concat_linear": "concat_linear(num_keys=14)",
    "top_k": "top_k(2)",
    "soft_cap": "soft_cap(5.0)",
    "chain": "chain(soft_cap(5.0), alibi)",
    "sliding_window": "sliding_window(2, 2)",
    "block": "block(2)",
    "prefix": "prefix(2)",
}
"""Parts that need numbers; masks of two are `&`."""
NAMES = {
    role: [NUMBERED.get(name, name) for name in table] + (["causal & block(3)"] * (role == "mask"))
    for role, table in ROLES.items()
}
OTHER_WIDTHS = {"cnn: guided(hidden_dim=5)", "rnnsearch: search(attention_dim=5)"}
ALIKE = {"scaled_dot", "dot", "cosine", "mlp", "squared_distance", "inverse_distance"}
"""Scores that need a query and a key of one width."""


def _attending() -> dict[str, Row]:
    """So many rows that there is each thing that attends in a network, with each of its widths."""
    seen: set[Any] = set()
    found = {}
    for name, row in ROWS.items():
        kinds = {
            (row.name, path[0], type(getattr(row.config, path[0])))
            for path, _ in places(row.config)
        }
        kinds = {(*kind, name in OTHER_WIDTHS) for kind in kinds}
        if kinds - seen:
            found[name] = row
        seen |= kinds
    return found


ATTENDING = _attending()
attending = pytest.mark.parametrize("row", ATTENDING.values(), ids=ATTENDING)
NUMBERS = range(max(len(names) for names in NAMES.values()))
SHARES = [0, *(pytest.param(share, marks=pytest.mark.slow) for share in range(1, 6))]
every_network = all_in_one("name", MODELS)


def same(one: Any, other: Any, row: Row) -> None:
    """Two networks are the same network."""
    assert other.config == one.config and type(other) is type(one)
    assert repr(other) == repr(one)
    state, again = one.state_dict(), other.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in state.items())
    assert torch.equal(drawn(other, row), drawn(one, row))


def drawn(model: Any, row: Row) -> Tensor:
    """What a network answers; a Gumbel softmax draws in evaluation, too."""
    torch.manual_seed(0)
    return model(*row.batch)


def attend_for(row: Row, **parts: Any) -> Attend:
    """An operator for a network of the table, of these parts as far as it has a place for them."""
    roles = {role for _, role in places(row.config)}
    return Attend(**{role: part for role, part in parts.items() if role in roles})


def bilinear(row: Row) -> Bilinear:
    key_width = 5 if row.name == "rnnsearch" and row.config.attention.attention_dim == 5 else WIDTH
    query_width = getattr(getattr(row.config, "pooling", None), "hidden_dim", WIDTH)
    return Bilinear(query_width, key_width)


def count(model: Any, kind: type) -> int:
    """How many parts of a kind a network has, a shared one counted once."""
    return len({id(module) for module in model.modules() if isinstance(module, kind)})


def saved(model: Any, folder: Path | str) -> None:
    """Save in the layout of this library, in which `regard.save` writes what no other can say."""
    Path(folder).mkdir(exist_ok=True)
    save_own(model, Path(folder))


@every
def test_a_loaded_network_is_the_saved_one_bit_for_bit(row: Row, tmp_path: Path) -> None:
    model = row.made().float()
    saved(model, tmp_path / "one")
    assert {path.name for path in (tmp_path / "one").iterdir()} == FILES
    again = regard.load(tmp_path / "one")
    assert not any(module.training for module in again.modules())
    same(model, again, row)
    saved(again, tmp_path / "two")
    config, same_config = (tmp_path / name / "config.json" for name in ("one", "two"))
    assert config.read_bytes() == same_config.read_bytes()


@attending
@pytest.mark.parametrize("share", SHARES)
@all_in_one("first", NUMBERS[::6])
def test_every_part_of_every_place_is_loaded_again(
    row: Row, share: int, first: int, tmp_path: Path
) -> None:
    """All places and roles change at once: each has had each of its parts when all numbers were.

    A sixth of the numbers is tried by default, from one network to the next another sixth.
    """
    place = next(n for n, each in enumerate(ATTENDING.values()) if each is row)
    number = first + (place + share) % 6
    config, wanted = row.config, {}
    depth = {"transformer": "layers", "memory": "hops"}.get(row.name.partition("_")[0])
    config = replace(config, **{depth: 1}) if depth else config
    unequal = bilinear(row).weight.shape != (WIDTH, WIDTH)
    for shift, (path, role) in enumerate(places(row.config)):
        names = [name for name in NAMES[role] if not (unequal and name in ALIKE)]
        wanted[path] = canonical(role, names[(number + shift) % len(names)])
        config = with_value(config, path, wanted[path])
    small = Row(row.name, config, alone(row.batch, 2))
    model = small.made().float()
    for path, name in wanted.items():
        found = reduce(getattr, path, model.config)
        assert found == name, "the operator has another part than the configuration asked for"
    saved(model, tmp_path)
    same(model, regard.load(tmp_path), small)


@attending
def test_parts_that_are_given_are_saved_by_their_names(row: Row, tmp_path: Path) -> None:
    given = {
        "score": (bilinear(row), "general"),
        "normalizer": (Entmax(1.3), "entmax(1.3)"),
        "score_mod": (SoftCap(5.0), "soft_cap(5.0)"),
        "mask": (SlidingWindow(2, 2), "sliding_window(2, 2)"),
    }
    parts = {role: part for role, (part, _) in given.items()}
    model = row.made(attend_for(row, **parts)).float()
    for path, role in places(row.config):
        assert reduce(getattr, path, model.config) == given[role][1]
    saved(model, tmp_path)
    assert '"own"' not in (tmp_path / "config.json").read_text()
    same(model, regard.load(tmp_path), row)


@attending
def test_a_part_of_ones_own_has_to_be_given_again(row: Row, tmp_path: Path) -> None:
    score = bilinear(row)

    def halved(query: Tensor, key: Tensor) -> Tensor:
        return Dot()(query @ score.weight.to(query.dtype), key) / 2

    model = row.made(attend_for(row, score=halved)).float()
    saved(model, tmp_path)
    assert '"own": "halved"' in (tmp_path / "config.json").read_text()
    why = r"config.json: .*its score is yours \(halved\), so it has to be given again: give load"
    with pytest.raises(ValueError, match=why):
        regard.load(tmp_path)
    same(model, regard.load(tmp_path, attend=attend_for(row, score=halved)), row)


@attending
def test_one_operator_is_shared_by_all_places_and_a_function_makes_one_for_each(
    row: Row, tmp_path: Path
) -> None:
    heads = getattr(row.config, "num_heads", 1)

    def make() -> Attend:
        return attend_for(row, score=bilinear(row), score_mod=RelativeBias(heads))

    has_mods = any(role == "score_mod" for _, role in places(row.config))
    one, several = row.made(make()).float(), row.made(make).float()
    its_own = count(row.made(), RelativeBias)
    assert count(one, Bilinear) == 1 and count(one, RelativeBias) == int(has_mods) + its_own
    assert count(several, Bilinear) == count(several, Attend)
    for number, model in enumerate((one, several)):
        saved(model, tmp_path / str(number))
        again = regard.load(tmp_path / str(number))
        names = [name for name, _ in model.named_parameters()]
        assert [name for name, _ in again.named_parameters()] == names
        same(model, again, row)


def test_some_networks_have_several_places() -> None:
    several = {name for name, row in ATTENDING.items() if count(row.made(), Attend) > 1}
    assert {ROWS[name].name for name in several} >= {"transformer", "transformer_lm", "han"}


FILES = {"config.json", "model.safetensors"}
Entries = dict[str, Any]


@cache
def written(name: str) -> tuple[str, bytes]:
    """The files of a network, as they are."""
    with tempfile.TemporaryDirectory() as folder:
        saved(FIRST[name].made().float(), folder)
        text = Path(folder, "config.json").read_text()
        return text, Path(folder, "model.safetensors").read_bytes()


def put(folder: Path, config: str, weights: bytes) -> Path:
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def of_another(entries: Entries) -> str:
    return json.dumps(entries | {"model_type": "transfomer_lm"})


def without_a_key(entries: Entries) -> str:
    first = model_class(entries["model_type"]).config_type.from_data[-1]
    needed = [k for k in ("vocab", "source_vocab", "items") if k in entries] or [first]
    return json.dumps({key: value for key, value in entries.items() if key != needed[0]})


WIDTHS = {"resnet": "classes", "unet": "classes", "danet": "classes"}
"""Network → a size that it has where it has no `embed_dim`."""


def width_of(name: str) -> str:
    return WIDTHS.get(name, "embed_dim")


def with_width(entries: Entries, value: Any) -> str:
    return json.dumps({**entries, width_of(entries["model_type"]): value})


CONFIGS: dict[str, tuple[Callable[[Entries], str], str]] = {
    "no json": (lambda entries: "{", "Expecting"),
    "no entries": (lambda entries: "[]", "is not a configuration"),
    "deep": (lambda entries: "[" * 100_000, "nested"),
    "a key twice": (lambda entries: '{"a": 1, "a": 2}', "twice"),
    "no number": (lambda entries: '{"a": Infinity}', "Infinity"),
    "another type": (of_another, "'transfomer_lm', which is not known; did you mean transformer"),
    "no type": (lambda e: json.dumps({**e, "model_type": None}), "model_type is None"),
    "an unknown key": (
        lambda e: json.dumps({**e, "x" + width_of(e["model_type"]): 3}),
        "there is no xWIDTH in .*; did you mean WIDTH",
    ),
    "a missing key": (
        without_a_key,
        " needs (vocab|source_vocab|target_vocab|items|image_size|classes)",
    ),
    "a text": (lambda e: with_width(e, "x"), "WIDTH must be a whole number"),
    "nothing": (lambda e: with_width(e, 0), "WIDTH must be at least 1.*got 0"),
    "too much": (lambda e: with_width(e, 10**9), "at most 65536, got 1000000000"),
}


@every_network
@pytest.mark.parametrize(("edit", "why"), CONFIGS.values(), ids=CONFIGS)
def test_a_foreign_configuration_is_refused(
    name: str, edit: Callable[[Entries], str], why: str, tmp_path: Path
) -> None:
    config, weights = written(name)
    put(tmp_path, edit(json.loads(config)), weights)
    said = why.replace("WIDTH", width_of(name))
    with pytest.raises(ValueError, match=f"(?s)config.json.*: .*{said}"):
        regard.load(tmp_path)


@every_network
def test_weights_that_are_not_those_of_the_configuration_are_named(
    name: str, tmp_path: Path
) -> None:
    config, weights = written(name)
    tensors = tensors_of(weights)
    first, *others = tensors
    changed = {key: tensors[key] for key in others} | {"strange": torch.zeros(2)}
    other = next(key for key in others if tensors[key].is_floating_point())
    changed[other] = torch.zeros(2, 3, 1, 4)
    put(tmp_path, config, bytes_of(changed))
    with pytest.raises(CheckpointMismatch) as caught:
        regard.load(tmp_path)
    assert first in caught.value.missing and caught.value.unexpected == ["strange"]
    assert caught.value.wrong_shaped[other][0] == [2, 3, 1, 4]
    assert str(tmp_path) in str(caught.value)


@every_network
def test_a_network_of_other_sizes_costs_no_memory(name: str, tmp_path: Path) -> None:
    config, weights = written(name)
    entries = json.loads(config) | {width_of(name): 65_536}
    put(tmp_path, json.dumps(entries), weights)
    with pytest.raises(CheckpointMismatch):
        regard.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
@every_network
def test_a_truncated_file_is_refused(name: str, kept: int, tmp_path: Path) -> None:
    config, weights = written(name)
    put(tmp_path, config, weights[:kept])
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        regard.load(tmp_path)


@pytest.mark.parametrize("missing", sorted(FILES))
@every_network
def test_a_missing_file_is_named(name: str, missing: str, tmp_path: Path) -> None:
    put(tmp_path, *written(name))
    (tmp_path / missing).unlink()
    why = "no trained model" if missing == "config.json" else missing
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*{why}"):
        regard.load(tmp_path)


def test_a_network_without_a_configuration_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Linear has no configuration of this library"):
        regard.save(torch.nn.Linear(2, 3), tmp_path)
