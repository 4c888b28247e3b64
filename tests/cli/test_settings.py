"""Settings are layers of tables: typed, named exactly, and the same after a round trip."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from regard.cli.mistake import Mistake
from regard.cli.names import NORMALIZERS, SCORE_MODS, SCORES, SYNONYMS, chosen
from regard.cli.recipes import BY_TASK, RECIPES, recipe, recipe_for
from regard.cli.settings import (
    SECTIONS,
    Settings,
    differences,
    read_assignments,
    read_toml,
    settings_of,
)
from regard.cli.toml import as_toml

STEPS: dict[str, dict[str, Any]] = {"train": {"steps": 1}}
TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]))
VALUES = (
    TEXTS
    | strategies.booleans()
    | strategies.integers(-(2**63), 2**63 - 1)
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.lists(TEXTS)
)


@given(strategies.dictionaries(strategies.sampled_from(["a", "b_c", "d9"]), VALUES))
def test_what_is_written_is_what_is_read(entries: dict[str, Any]) -> None:
    assert tomllib.loads(as_toml({"section": entries, "other": entries})) == {
        "section": entries,
        "other": entries,
    }


@given(TEXTS, strategies.lists(TEXTS), strategies.floats(1e-300, 1e300))
def test_settings_come_back_from_their_file(path: str, tags: list[str], rate: float) -> None:
    given_ = {"data": {"path": path, "languages": tags}, "train": {"learning_rate": rate}}
    settings = settings_of(STEPS, given_)
    assert settings_of(tomllib.loads(settings.toml())) == settings
    assert settings.data.path == path and settings.data.languages == tuple(tags)


def test_text_that_is_hard_to_write_survives(tmp_path: Path) -> None:
    path = "a \"b\" \\ \n\t\x7f\x00 é ☃ \U0001f600 \u2028 # [x] = '''"
    settings = settings_of(STEPS, {"data": {"path": path}})
    (tmp_path / "config.toml").write_text(settings.toml(), "utf-8", newline="")
    assert settings_of(read_toml(tmp_path / "config.toml")) == settings


def test_later_layers_win_and_none_is_changed() -> None:
    first = {"train": {"steps": 1, "clip": 2.0}}
    settings = settings_of(first, {"train": {"clip": 3.0}}, {"model": {"layers": 2}})
    assert (settings.train.clip, settings.train.steps, settings.model.layers) == (3.0, 1, 2)
    assert first == {"train": {"steps": 1, "clip": 2.0}}


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("train.clip", 3, 3.0),
        ("train.epochs", 3, 3.0),
        ("train.steps", 60.0, 60),
        ("data.languages", "en, fr,", ("en", "fr")),
        ("data.languages", ["en"], ("en",)),
        ("model.tied", "none", "none"),
        ("train.compile", True, True),
    ],
)
def test_values_take_the_type_of_their_setting(name: str, value: Any, wanted: Any) -> None:
    section, key = name.split(".")
    found = getattr(getattr(settings_of(STEPS, {section: {key: value}}), section), key)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("section", "key", "value", "why"),
    [
        ("train", "steps", 1.5, "train.steps must be int, got 1.5"),
        ("train", "steps", True, "train.steps must be int, got True"),
        ("train", "clip", "x", "train.clip must be float, got 'x'"),
        ("train", "compile", 1, "train.compile must be bool, got 1"),
        ("data", "path", 3, "data.path must be str, got 3"),
        ("data", "languages", 3, "data.languages must be tuple, got 3"),
        ("train", "clip", -1, r"\[train\] clip must be positive and finite, got -1"),
        ("train", "stesp", 1, "no setting train.stesp, did you mean steps"),
        ("model", "heads", 1, "no setting model.heads, did you mean num_heads"),
        ("modle", "layers", 1, r"no section \[modle\], did you mean model"),
        ("model", "layers", 0, r"\[model\] layers must be at least 1, got 0"),
        ("model", "window", -1, r"\[model\] window must be at least 0, got -1"),
        ("model", "dropout", 1.0, r"\[model\] dropout must be at least 0 and below 1, got 1"),
        ("model", "num_heads", 3, "embed_dim 128 is not divisible by num_heads 3"),
        ("model", "normalizer", "entmax15", "did you mean entmax or "),
        ("model", "norm", "middle", "there is no norm 'middle': post, pre"),
        ("tokens", "kind", "word-piece", "did you mean wordpiece"),
        ("data", "block", 0, r"\[data\] block must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(section: str, key: str, value: Any, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        settings_of(STEPS, {section: {key: value}})


def test_an_unknown_key_gets_at_most_three_names() -> None:
    with pytest.raises(Mistake) as caught:
        settings_of(STEPS, {"model": {"dim": 3}})
    assert 1 <= str(caught.value).count(" or ") <= 2


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            {"name": "cnn", "score": "additive"},
            "score is 'additive', but with summary max there is",
        ),
        ({"name": "lstm", "summary": "mean", "normalizer": "sparsemax"}, "with summary mean there"),
        (
            {"name": "rnnsearch", "attention": "none", "score": "dot"},
            "with attention none there is",
        ),
        ({"name": "din", "score": "dot"}, "no setting model.score in this network"),
    ],
)
def test_no_part_of_an_attention_is_dropped_silently(model: dict[str, Any], why: str) -> None:
    with pytest.raises(Mistake, match=why):
        settings_of(STEPS, {"model": model})


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({}, "scaled_dot, softmax"),
        ({"name": "cnn"}, "summary max"),
        ({"name": "lstm", "score": "additive"}, "summary attention, additive, softmax"),
        ({"name": "memory"}, "hops 3, attention soft, dot, softmax"),
        ({"name": "abcnn"}, "attention both, similarity both"),
    ],
)
def test_how_a_network_attends_is_said_in_a_few_words(model: dict[str, Any], said: str) -> None:
    assert settings_of(STEPS, {"model": model}).model.described() == said


def test_settings_need_a_budget() -> None:
    with pytest.raises(Mistake, match="give a budget"):
        settings_of({})


def test_assignments_find_the_section_of_their_key() -> None:
    texts = ["clip=2", "model.norm=pre", "joint = false", "path=a=b", "data.task='classify'"]
    assert read_assignments(texts) == {
        "train": {"clip": 2},
        "model": {"norm": "pre"},
        "tokens": {"joint": False},
        "data": {"path": "a=b", "task": "classify"},
    }
    assert read_assignments(["clip=1", "clip=2"]) == {"train": {"clip": 2}}
    assert read_assignments([]) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clip", "--set takes key=value, such as learning_rate=1e-3; got 'clip'"),
        ("clp=3", "no setting 'clp', did you mean clip"),
        ("modl.norm=pre", "no section 'modl', did you mean model"),
        ("=3", "no setting ''"),
    ],
)
def test_an_assignment_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        read_assignments([text])


def test_a_key_of_several_sections_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECTIONS, "more", SECTIONS["tokens"])
    with pytest.raises(Mistake, match="size stands in tokens and more; write tokens.size"):
        read_assignments(["size=3"])


def test_differences_name_every_key_with_both_values() -> None:
    old, new = (
        settings_of(STEPS),
        settings_of(STEPS, {"model": {"norm": "pre"}, "data": {"block": 8}}),
    )
    assert differences(old, old) == []
    assert differences(old, new) == [
        "data.block is 64 in the run and 8 now",
        "model.norm is 'post' in the run and 'pre' now",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name, content in (("bad.toml", b"a = \xff"), ("cut.toml", b"[a"), ("loose.toml", b"a = 1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Mistake, match=name):
            read_toml(tmp_path / name)
    with pytest.raises(Mistake, match=r"gone\.toml cannot be read"):
        read_toml(tmp_path / "gone.toml")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_made_of_settings(name: str) -> None:
    assert isinstance(settings_of(recipe(name)), Settings)


def test_every_task_has_a_recipe_for_each_of_its_models() -> None:
    for (task, model), name in BY_TASK.items():
        table = recipe_for(task, model)
        assert table is RECIPES[name] and table["data"]["task"] == task
        assert table["model"].get("name", "transformer") == model
    assert recipe_for("translate", None) is RECIPES["translate"]
    with pytest.raises(Mistake, match="'rnnsearch' for classify; choose transformer"):
        recipe_for("classify", "rnnsearch")
    with pytest.raises(Mistake, match="no recipe 'charactres': did you mean characters"):
        recipe("charactres")


def test_every_name_makes_its_part_and_synonyms_point_to_names() -> None:
    tables = {"score": SCORES, "normalizer": NORMALIZERS, "score_mod": SCORE_MODS}
    for kind, table in tables.items():
        for name in table:
            part = chosen(kind, name, table)(*[4] * (3 if kind == "score" else 1))
            assert callable(part) or name == "none"
    known = {name for table in tables.values() for name in table}
    for other, name in SYNONYMS.items():
        assert name in known and other not in known


@pytest.mark.parametrize(
    ("key", "option"), [("score", "--attention"), ("normalizer", "--normalizer")]
)
def test_a_part_of_a_network_that_has_its_own_is_to_be_left_out(key: str, option: str) -> None:
    entries = recipe("match") | STEPS
    entries["model"] = entries["model"] | {key: "additive"}
    said = f"no setting model.{key} in this network, which has its own; leave {option} out"
    with pytest.raises(Mistake, match=said):
        settings_of(entries)
