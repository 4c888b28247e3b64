"""What was asked for becomes settings: layer by layer, each name to its place, or refused."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from regard.config import fields_of
from regard.errors import UsageError
from regard.models import MODELS, model_class
from regard.models.luong import LocalM
from regard.models.pooling import AttentionPooling, Mean
from regard.parts import Own
from regard.run.merging import settings_for
from regard.run.recipes import OLDER, USUAL, names, recipe, recipe_for, resolved
from regard.run.request import Request
from regard.run.setting_names import RENAMED
from regard.run.settings import Settings, differences, places, read_toml, settings_of
from regard.run.settings import kinds_of as kinds
from regard.tasks import TASKS
from tests.run.tiny import data_of

TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]))


def asked(named: str | None, /, *tables: Any, **given: Any) -> Settings:
    """The settings of a recipe with tables and single settings; `__` in a name is a dot."""
    path = data_of(named) if named in names() else None
    single = {key.replace("__", "."): value for key, value in given.items()}
    data = {} if path is None else {"data": str(path)}
    return settings_for(Request(named, tables, tuple({**data, **single}.items())), None)[0]


def refusal(named: str | None, /, *tables: Any, **given: Any) -> str:
    with pytest.raises(UsageError) as caught:
        asked(named, *tables, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Layers


def test_later_layers_win_and_none_is_changed() -> None:
    first = {"model": {"layers": 2, "dropout": 0.1}, "train": {"clip": 2.0}}
    second = {"model": {"layers": 3}, "train": {"clip": 3.0}}
    found = asked("lstm", first, second, clip=4.0)
    assert (found.model["layers"], found.model["dropout"], found.train.clip) == (3, 0.1, 4.0)
    assert found.model["embed_dim"] == recipe("lstm")["model"]["embed_dim"]
    assert first == {"model": {"layers": 2, "dropout": 0.1}, "train": {"clip": 2.0}}
    assert recipe("lstm")["train"]["learning_rate"] == found.train.learning_rate


def test_a_budget_replaces_those_of_the_layers_before() -> None:
    def budget(*tables: Any, **given: Any) -> dict[str, float]:
        train = asked("lstm", *tables, **given).train
        found = {name: getattr(train, name) for name in ("epochs", "steps", "seconds")}
        return {name: value for name, value in found.items() if value is not None}

    file = {"train": {"steps": 2}}
    assert budget() == {"epochs": recipe("lstm")["train"]["epochs"]}
    assert budget(steps=3) == {"steps": 3}
    assert budget(file) == {"steps": 2}
    assert budget(file, epochs=0.5) == {"epochs": 0.5}
    assert budget(file, minutes=2) == {"seconds": 120.0}
    assert budget(steps=3, minutes=5) == {"steps": 3, "seconds": 300.0}
    assert budget(file, {"train": {"clip": 1.5}}) == {"steps": 2}


def test_the_task_and_the_network_decide_the_recipe() -> None:
    data = str(data_of("lstm"))
    assert asked(None, data=data).model_name == "transformer_classifier"
    assert asked(None, data=data, model="lstm").entries()["model"]["hidden_dim"] == 50
    assert asked("classify", data=data, model="cnn").model_name == "cnn"
    assert asked(None, {"model": {"name": "han"}}, data=data).model_name == "han"
    # A family's name is that of its network for the task.
    assert asked("classify", data=data, model="transformer").model_name == "transformer_classifier"


# Names


@pytest.mark.parametrize(
    ("recipe_name", "key", "value", "place"),
    [
        ("lstm", "hidden_dim", 7, ("model", "hidden_dim")),
        ("lstm", "lr", 0.5, ("train", "learning_rate")),
        ("lstm", "batch", 99, ("task", "batch_tokens")),
        ("lstm", "train.dropout", None, None),
        ("lstm", "model.dropout", 0.25, ("model", "dropout")),
        ("lstm", "tokens.size", 77, ("task", "tokens", "size")),
        ("lstm", "task.tokens.size", 77, ("task", "tokens", "size")),
        ("lstm", "attention_dim", 7, ("model", "pooling", "attention_dim")),
        ("lstm", "model.pooling.attention_dim", 7, ("model", "pooling", "attention_dim")),
        ("lstm", "pooling.dropout", 0.25, ("model", "pooling", "dropout")),
        ("memory", "encoding", "bag", None),
        ("memory", "model.encoding", "bag", ("model", "encoding")),
        ("lstm", "name", "x", None),
    ],
)
def test_a_name_bare_or_dotted_finds_its_place_or_asks_for_more(
    recipe_name: str, key: str, value: Any, place: tuple[str, ...] | None
) -> None:
    if place is None:
        assert key in refusal(recipe_name, **{key: value})
        return
    found: Any = asked(recipe_name, **{key: value}).entries()
    for step in place:
        found = found[step]
    assert found in (value, {"kind": value})


def test_the_shallowest_of_equal_names_is_meant() -> None:
    found = asked("lstm", dropout=0.25)
    assert (found.model["dropout"], found.model["pooling"].dropout) == (0.25, 0.0)


def test_one_name_sets_all_places_of_one_depth() -> None:
    han = asked("han", normalizer="sparsemax", attention="additive").model
    for level in ("word_pooling", "sentence_pooling"):
        assert (han[level].normalizer, han[level].score) == ("sparsemax", "additive")
    one = asked("han", sentence_pooling__normalizer="sparsemax").model
    assert (one["word_pooling"].normalizer, one["sentence_pooling"].normalizer) == (
        "softmax",
        "sparsemax",
    )


@pytest.mark.parametrize("name", ["vocab", "unknown", "model.classes"])
def test_what_the_data_decides_is_not_typed(name: str) -> None:
    assert "is decided by the data; leave it out" in refusal("lstm", **{name: 9})
    key = name.removeprefix("model.")
    assert "is decided by the data" in refusal("lstm", {"model": {key: 9}})


def test_every_setting_of_every_network_has_a_place_and_no_old_name_is_one() -> None:
    for name in names():
        task, model = (recipe(name)[section]["name"] for section in ("task", "model"))
        known = list(places(kinds(task, model)))
        assert {place[0] for place in known} >= {"task", "model", "train"}
        for place in known:
            of_network = model_class(model).config_type.from_data
            assert place[0] == "data" or place[-1] not in of_network
            assert place[-1] not in RENAMED
    fields = {f for m in MODELS for f in fields_of(model_class(m).config_type)}
    nested = {place[-1] for m in MODELS for place in places(kinds("classify", m))}
    assert set(RENAMED.values()) <= fields | nested


# Alternatives: one of several kinds, each with settings of its own


def test_the_same_kind_keeps_what_was_said_and_another_replaces_it() -> None:
    first = {"model": {"pooling": {"kind": "attention", "score": "dot", "attention_dim": 9}}}
    same = asked("lstm", first, {"model": {"pooling": {"normalizer": "sparsemax"}}}).model
    assert same["pooling"] == AttentionPooling(attention_dim=9, normalizer="sparsemax")
    named = asked("lstm", first, pooling="attention(score=additive)").model
    assert named["pooling"] == AttentionPooling(attention_dim=9, score="additive")
    other = asked("lstm", first, pooling="hard").model["pooling"]
    assert (other.tag, other.attention_dim) == ("hard", type(other)().attention_dim)


@pytest.mark.parametrize(
    "value", ["mean", {"kind": "mean"}, Mean()], ids=["text", "table", "object"]
)
def test_an_alternative_is_said_as_text_as_a_table_or_as_an_object(value: Any) -> None:
    assert asked("lstm", pooling=value).model["pooling"] == Mean()


def test_nothing_said_of_an_alternative_is_lost_in_either_order() -> None:
    said = "pooling mean has no normalizer; pooling attention and hard have one"
    assert refusal("lstm", pooling="mean", normalizer="sparsemax") == said
    assert refusal("lstm", normalizer="sparsemax", pooling="mean") == said
    assert refusal("lstm", {"model": {"pooling": "mean"}}, normalizer="sparsemax") == said
    kept = asked("lstm", normalizer="sparsemax", pooling="hard").model["pooling"]
    assert (kept.tag, kept.normalizer) == ("hard", "sparsemax")


@pytest.mark.parametrize(
    ("recipe_name", "value", "kind", "score"),
    [
        ("luong", "none", "none", None),
        ("luong", "additive", "global", "additive"),
        ("luong", "local_m", "local_m", "general"),
        ("luong", "local_p(window=3)", "local_p", "general"),
        ("luong", LocalM(window=3), "local_m", "general"),
        ("rnnsearch", "none", "none", None),
        ("rnnsearch", "cosine(0.1)", "search", "cosine(0.1)"),
        ("memory", "hard", "hard", "dot"),
        ("memory", "general", "soft", "general"),
        ("transformer", "additive", "parts", "additive"),
    ],
)
def test_attention_is_a_kind_of_attention_or_its_score(
    recipe_name: str, value: Any, kind: str, score: str | None
) -> None:
    found = asked(recipe_name, attention=value).model["attention"]
    assert (found.tag, getattr(found, "score", None)) == (kind, score)


def test_attention_of_a_network_whose_pooling_attends_is_its_score() -> None:
    assert asked("lstm", attention="additive").model["pooling"].score == "additive"
    assert asked("abcnn", attention="input").model["attention"] == "input"
    assert "pooling max has no score" in refusal("cnn", attention="additive")
    both = asked("luong", attention="local_m", score="additive").model["attention"]
    assert (both.tag, both.score) == ("local_m", "additive")


# Parts of one's own


@pytest.fixture
def my_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from regard.normalizers import Softmax\n"
        "def sharp(times):\n    return Softmax(1 / times)\n"
        "def plain(scores, where=None):\n    return Softmax()(scores, where)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_part_of_ones_own_is_imported_from_the_command_line(my_parts: None) -> None:
    from regard.normalizers import Softmax

    made = asked("lstm", normalizer="mine:sharp(2)").model["pooling"].normalizer
    assert isinstance(made, Own) and made == "mine:sharp(2)" and made.part == Softmax(0.5)
    plain = asked("lstm", pooling__normalizer="mine:plain").model["pooling"].normalizer
    assert plain.part.__name__ == "plain"


def test_a_file_imports_nothing(my_parts: None) -> None:
    table = {"model": {"pooling": {"normalizer": "mine:sharp(2)"}}}
    said = refusal("lstm", table)
    assert said.startswith("model.pooling.normalizer is 'mine:sharp(2)' in a file, and a file imp")
    other = {"model": {"pooling": "attention(normalizer='mine:plain')"}}
    assert "'mine:plain' is not a name with arguments" in refusal("lstm", other)


def test_an_object_of_ones_own_stays_the_object_within_a_config_too() -> None:
    def own(scores: Any, where: Any = None) -> Any:
        return scores

    assert asked("lstm", normalizer=own).model["pooling"].normalizer.part is own
    pooling = AttentionPooling.from_entries({"normalizer": own})
    assert asked("lstm", pooling=pooling).model["pooling"].normalizer.part is own
    assert asked("lstm", normalizer=own).entries()["model"]["pooling"]["normalizer"] == {
        "own": "own"
    }


# Files


@pytest.mark.parametrize("name", names())
def test_the_settings_of_every_recipe_come_back_from_their_file(name: str, tmp_path: Path) -> None:
    settings = asked(name)
    (tmp_path / "config.toml").write_text(settings.toml(), "utf-8", newline="")
    again = read_toml(tmp_path / "config.toml")
    assert settings_of(again) == settings and differences(again, settings.entries()) == []
    # And given back as a file of one's own they win over every recipe.
    assert settings_for(Request(None, [again]), None)[0] == settings


@given(TEXTS, strategies.floats(1e-300, 1e300))
def test_settings_of_any_text_and_number_come_back(path: str, rate: float) -> None:
    entries = {**recipe("lstm"), "data": {"path": path}}
    entries["train"] = {**entries["train"], "learning_rate": rate}
    settings = settings_of(entries)
    assert settings_of(tomllib.loads(settings.toml())) == settings
    assert settings.data is not None and settings.data.path == path


def test_differences_name_every_key_with_both_values() -> None:
    old = asked("lstm").entries()
    new = asked("lstm", cell="gru", pooling="mean", steps=3).entries()
    assert differences(old, old) == []
    said = differences(old, new)
    assert "model.cell is 'lstm' in the run and 'gru' now" in said
    assert "model.pooling.kind is 'attention' in the run and 'mean' now" in said
    assert "train.steps is None in the run and 3 now" in said


def test_settings_need_a_budget() -> None:
    entries = {**recipe("lstm"), "train": {}}
    with pytest.raises(UsageError, match="give a budget: epochs, steps or seconds"):
        settings_of(entries)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a = \xff", "cannot be read"),
        (b"[a", "cannot be read"),
        (b"a = 1", "stands in no section"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(UsageError, match=rf"x\.toml.*{why}"):
        read_toml(tmp_path / "x.toml")


# Recipes


def test_every_recipe_is_found_by_its_name_its_task_its_network_and_its_old_name() -> None:
    assert set(USUAL) == set(TASKS) and {*USUAL.values(), *OLDER.values()} <= set(names())
    for name in names():
        table = recipe(name)
        task, model = table["task"]["name"], table["model"]["name"]
        # A second recipe of one network for one task is found by its name alone.
        assert resolved(name) == name and recipe_for(task, model) in (table, recipe(task))
        assert recipe(task) is recipe_for(task, None)
    assert {resolved(old) for old in OLDER} == {"memory", "transformer_lm"}
    with pytest.raises(UsageError, match="'rnnsearch' for classify; choose transformer_class"):
        recipe_for("classify", "rnnsearch")
    with pytest.raises(UsageError, match="'abcnn' for regress; choose lstm or "):
        recipe_for("regress", "abcnn")


def test_a_task_that_is_like_another_has_its_networks_and_none_of_its_data() -> None:
    for model in ("lstm", "dan", "cnn", "han", "transformer_classifier"):
        table, other = recipe_for("regress", model), recipe_for("classify", model)
        assert table["model"] == other["model"] and not table.get("data")
        assert table["task"] == {**other["task"], "name": "regress"} or model == "lstm"
    assert recipe_for("regress", "lstm") is recipe("lstm_regressor")
    with pytest.raises(UsageError, match="no recipe 'charactres': did you mean"):
        recipe("charactres")


@pytest.mark.parametrize("name", names())
def test_every_recipe_says_in_its_first_line_whose_it_is(name: str) -> None:
    from regard.run.recipes import text_of

    first = text_of(name).partition("\n")[0]
    assert first.startswith("# ") and 20 < len(first) <= 110
