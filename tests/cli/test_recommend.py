"""Interaction files of every format train a recommender, and what is kept answers the same."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from regard.cli.assembly import load_predictor
from regard.data.interests import rows
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
    table = [row[: len(names)] for row in rows("train", 500, 0)]
    data, run = put(tmp_path / f"data.{ending}", names, table), tmp_path / "run"
    given = ["--data", data, "--out", run, "--steps", "3", "--model", model, *SMALL]
    said = done("train", *given)
    assert "read as recommend" in said and "On test data: " in said and "gauc" in said
    assert read_run(run).status() == "finished"
    (answer,) = load_predictor(run / "best").predict(["jazz-01, tea-02"])
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
    table = list(rows("train", 400, 0))
    folder, run = tmp_path / "data", tmp_path / "run"
    folder.mkdir()
    put(folder / "train.csv", NAMES, table)
    put(folder / "valid.csv", NAMES, [("train-0", "new", "5", "2"), ("eve", "tea-01", "5", "1")])
    done("train", "--data", folder, "--out", run, "--steps", "2", "--task", "recommend", *SMALL)
    scores = json.loads(done("eval", run, "--split", "valid", "--json"))
    assert scores["examples"] == 2


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("ann", "tea", "good", "1"), "the rating 'good' is not a number"),
        (("ann", "tea", "5", "noon"), "the timestamp 'noon' is neither a number of seconds nor"),
    ],
)
def test_what_is_no_number_is_refused_with_its_row(
    row: tuple[str, ...], why: str, tmp_path: Path, mistake: Call
) -> None:
    table = [*rows("train", 40, 0), row]
    data = put(tmp_path / "data.csv", NAMES, table)
    said = mistake("train", "--data", data, "--out", tmp_path / "run", "--steps", "1", *SMALL)
    assert why in said and "41" in said


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["din", "--set", "variant=theirs"], "there is no variant 'theirs'"),
        (["din", "--set", "dropout=0.5"], "din has no dropout, got 0.5"),
        (["din", "--normalizer", "sparsemax"], "there is no normalizer 'sparsemax'"),
        (["din", "--set", "negatives=0"], "negatives must be at least 1, got 0"),
        (["youtube_dnn", "--set", "pool=max"], "there is no pool 'max'"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(
    given: list[str], why: str, mistake: Call
) -> None:
    assert why in mistake("train", *given, "--steps", "1")
