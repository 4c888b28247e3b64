"""Interaction files of every format train a recommender, and what is kept answers the same."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import regard
from regard.data.synthetic.interests import interaction_rows
from regard.view.run_log import read_run

Call = Callable[..., str]
NAMES = ("userId", "movieId", "rating", "timestamp")
RECBOLE = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
SMALL = [part for setting in ("embed_dim=4", "batch_tokens=500") for part in ("--set", setting)]


def put(path: Path, names: Sequence[str], table: Sequence[Sequence[str]]) -> Path:
    between = "," if path.suffix == ".csv" else "\t"
    path.write_text("".join(between.join(row) + "\n" for row in [names, *table]))
    return path


@pytest.mark.parametrize(
    ("ending", "names", "model"),
    [
        ("csv", NAMES, "din"),
        ("inter", RECBOLE, "youtube_dnn"),
        pytest.param("tsv", ("user", "item"), "din", marks=pytest.mark.slow),
    ],
)
def test_files_of_every_format_are_learned_from(
    ending: str, names: tuple[str, ...], model: str, tmp_path: Path, done: Call
) -> None:
    table = [row[: len(names)] for row in interaction_rows("train", 500, 0)]
    data, run = put(tmp_path / f"data.{ending}", names, table), tmp_path / "run"
    given = ["--data", data, "--out", run, "--steps", "3", "--model", model, *SMALL]
    said = done("train", *given)
    assert "read as recommend" in said and "On test data: " in said and "gauc" in said
    assert read_run(run).status() == "finished"
    (answer,) = regard.Run(run).predict(["jazz-01, tea-02"])
    assert answer.inputs == ("jazz-01", "tea-02") and len(answer.answers) == 10
    told = json.loads(done("predict", run, "jazz-01, tea-02, beer", "--json"))
    assert told["answer"] == answer.answers[0][0] and told["unknown"] == ["beer"]
    scores = json.loads(done("eval", run, "--split", "valid", "--json"))
    many = [user for user, count in Counter(row[0] for row in table).items() if count >= 3]
    assert scores["examples"] == len(many)
    other = put(tmp_path / f"other.{ending}", names, table[:90])
    assert json.loads(done("eval", run, "--data", other, "--json"))["examples"] < scores["examples"]


def test_a_file_to_validate_on_asks_the_last_item_of_each_of_its_users(
    tmp_path: Path, done: Call
) -> None:
    table = list(interaction_rows("train", 400, 0))
    folder, run = tmp_path / "data", tmp_path / "run"
    folder.mkdir()
    put(folder / "train.csv", NAMES, table)
    put(folder / "valid.csv", NAMES, [("train-0", "new", "5", "2"), ("eve", "tea-01", "5", "1")])
    done("train", "--data", folder, "--out", run, "--steps", "2", "--task", "recommend", *SMALL)
    scores = json.loads(done("eval", run, "--split", "valid", "--json"))
    assert scores["examples"] == 2


def refused(folder: Path, mistake: Call, table: Sequence[Sequence[str]], ending: str) -> str:
    data = put(folder / f"data.{ending}", NAMES, table)
    said = mistake("train", "--data", data, "--out", folder / "run", "--steps", "1", *SMALL)
    assert not (folder / "run").exists()
    return said


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("ann", "tea", "good", "1"), "the rating 'good' is not a number"),
        (("ann", "tea", "3 of 5", "1"), "the rating '3 of 5' is not a number"),
        (("ann", "tea", "nan", "1"), "the rating 'nan' is not a number"),
        (("ann", "tea", "-inf", "1"), "the rating '-inf' is not a number"),
        (("ann", "tea", "5", "noon"), "the timestamp 'noon' is neither a number of seconds nor"),
        (("ann", "tea", "5", ""), "the timestamp '' is neither a number of seconds nor"),
        (("ann", "tea", "5", "1e999"), "the timestamp '1e999' is neither a number"),
        ((" ", "tea", "5", "1"), "the user is empty"),
        (("ann", "", "5", "1"), "the item is empty"),
        (("ann", "x" * 10_001, "5", "1"), "the name of the item has 10,001 characters, 10,000 at"),
        (("x" * 10_000_000, "tea", "5", "1"), "10,000,009 bytes are more than a line may have"),
        (("ann", "tea", "5"), "3 columns, where the first row has 4"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_interaction_that_cannot_be_read_is_refused_with_file_and_line(
    row: tuple[str, ...], why: str, tmp_path: Path, mistake: Call
) -> None:
    said = refused(tmp_path, mistake, [*interaction_rows("train", 40, 0), row], "tsv")
    assert f"data.tsv line 42: {why}" in said


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([("ann", "tea", "5", "1")], "no user of 1 has more than 1 interaction, and one with 4 is"),
        ([("ann", "tea", "5", "1")] * 9, "no user of 1 has more than 1 interaction, and one with"),
        ([(f"u{n}", f"i{n}", "5", "1") for n in range(9)], "no user of 9 has more than 1 "),
        ([(f"u{n // 3}", f"i{n}", "5", "1") for n in range(9)], "no user of 3 has more than 3 "),
        ([("ann", "tea", "5", f"{n}") for n in range(9)], "two items to choose from, there are 1"),
    ],
    ids=["one", "one nine times", "one each", "three each", "one item"],
)
def test_data_that_nothing_can_be_learned_from_is_refused_and_leaves_nothing(
    table: list[tuple[str, ...]], why: str, tmp_path: Path, mistake: Call
) -> None:
    assert why in refused(tmp_path, mistake, table, "csv")


def test_who_chose_one_item_alone_is_no_example_but_the_item_is_one(
    tmp_path: Path, done: Call
) -> None:
    table, run = [*interaction_rows("train", 60, 0), ("eve", "lonely", "5", "1")], tmp_path / "run"
    for name in ("with", "without"):
        data = put(tmp_path / f"{name}.csv", NAMES, table if name == "with" else table[:-1])
        done("train", "--data", data, "--out", run / name, "--steps", "1", *SMALL)
    both = [json.loads(done("eval", run / name, "--json")) for name in ("with", "without")]
    assert both[0]["examples"] == both[1]["examples"]
    coders = [regard.Run(run / name).predictor.coder for name in ("with", "without")]
    assert {*coders[0].catalogue.items} - {*coders[1].catalogue.items} == {"lonely"}


def kind(item: str) -> str:
    return item.partition("-")[0]


def test_a_column_of_categories_is_what_is_known_of_the_items(tmp_path: Path, done: Call) -> None:
    table = [(*row, kind(row[1])) for row in interaction_rows("train", 200, 0)]
    data = put(tmp_path / "data.csv", (*NAMES, "genres"), table)
    run = tmp_path / "run"
    said = done("train", "--data", data, "--out", run, "--steps", "2", *SMALL)
    assert "read as recommend (userId, movieId, rating, timestamp, genres)" in said
    bare = put(tmp_path / "bare.csv", NAMES[:2], [row[:2] for row in table])
    said = done("train", "--data", bare, "--dry-run")
    assert "read as recommend (userId, movieId): 200" in said
    assert "rating" not in said and "timestamp" not in said and "genres" not in said
    catalogue = regard.Run(run).predictor.coder.catalogue
    known = {
        item: catalogue.values[row[0]]
        for item, row in zip(catalogue.items, catalogue.features, strict=True)
    }
    assert known.pop("<pad>") == known.pop("<unk>") == ""
    assert known == {item: f"0={kind(item)}" for item in known}
    assert json.loads(done("eval", run, "--json"))["examples"] > 0
    plain = put(tmp_path / "plain.csv", NAMES, [row[:4] for row in table])
    whole, same = (json.loads(done("eval", run, "--data", d, "--json")) for d in (data, plain))
    assert {**whole, "data": ""} == {**same, "data": ""}


@pytest.mark.parametrize("model", ["din", pytest.param("youtube_dnn", marks=pytest.mark.slow)])
def test_the_item_file_of_recbole_describes_the_items(
    model: str, tmp_path: Path, done: Call
) -> None:
    table = list(interaction_rows("train", 200, 0))
    put(tmp_path / "some.inter", RECBOLE, table)
    items = sorted({row[1] for row in table})
    about = [
        (item, f"The {item}", "1.5", kind(item), "old" if "1" in item else "") for item in items
    ]
    head = ("item_id:token", "title:token_seq", "price:float", "class:token_seq", "age:token")
    put(tmp_path / "some.item", head, [*about[1:], ("unheard-of", "?", "1", "odd", "odd")])
    (tmp_path / "some.user").write_text("user_id:token\tage:float\n")
    run = tmp_path / "run"
    said = done("train", "--data", tmp_path, "--out", run, "--steps", "2", "--model", model, *SMALL)
    note = "read from some.item: class, age (not title: nearly every item has its own)"
    assert note in said and "read as recommend" in said
    predictor = regard.Run(run).predictor
    catalogue = predictor.coder.catalogue
    known = {
        item: tuple(catalogue.values[number] for number in row)
        for item, row in zip(catalogue.items, catalogue.features.tolist(), strict=True)
    }
    assert known[items[0]] == ("", "") and "unheard-of" not in known and len(items) > 8
    for item in items[1:]:
        assert known[item] == (f"0={kind(item)}", "1=old" if "1" in item else "")
    table = predictor.model.embedding
    assert table.features.tolist() == catalogue.features.tolist()
    assert table.width == 3 * 4 and len(table.feature.weight) == len(catalogue.values)
    assert json.loads(done("predict", run, items[0], "--json"))["answer"] in items
    assert json.loads(done("eval", run, "--json"))["examples"] > 0


def test_a_broken_item_file_is_refused_with_its_line(tmp_path: Path, mistake: Call) -> None:
    data = put(tmp_path / "some.inter", RECBOLE, list(interaction_rows("train", 40, 0)))
    head = ("item_id:token", "class:token")
    put(tmp_path / "some.item", head, [("jazz-01", "jazz"), ("tea-01",)])
    said = mistake("train", "--data", data, "--out", tmp_path / "run", "--steps", "1")
    assert "some.item line 3: 1 columns, where the first row has 2" in said
    put(tmp_path / "some.item", ("name:token", "class:token"), [("jazz-01", "jazz")])
    said = mistake("train", "--data", data, "--out", tmp_path / "run", "--steps", "1")
    assert "some.item line 1: no column is called item_id:token" in said


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["din", "--set", "activation=relu"], "there is no activation 'relu'"),
        (["din", "--set", "word_dropout=0.5"], "have no word_dropout, the models lstm, "),
        (["din", "--set", "negatives=0"], "negatives must be at least 1 and at most 65536, got 0"),
        (["din", "--set", "loss=sampled_softmax"], "which DIN does not have; use loss=binary"),
        (["youtube_dnn", "--set", "pooling=max"], "there is no pooling 'max'"),
        (["youtube_dnn", "--set", "pool=max"], "no setting pool; did you mean pooling"),
        (["youtube_dnn", "--normalizer", "sparsemax"], "pooling mean has no normalizer; pooling"),
        (["youtube_dnn", "--set", "candidates=1"], "candidates must be 0, for all items, or at"),
    ],
)
def test_impossible_settings_are_refused_by_name(given: list[str], why: str, mistake: Call) -> None:
    assert why in mistake("train", *given, "--steps", "1")
