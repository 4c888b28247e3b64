"""A run never takes another run's folder, and its logs survive."""

import json
import math
from pathlib import Path

from regard.training.run_folder import Journal, new_run_folder


def test_a_free_name_is_taken_with_its_parents(tmp_path: Path) -> None:
    assert new_run_folder(tmp_path / "a" / "run") == tmp_path / "a" / "run"


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    first = new_run_folder(tmp_path / "run")
    (first / "model").write_text("precious")
    names = [new_run_folder(tmp_path / "run").name for _ in range(2)]
    assert names == ["run-2", "run-3"]
    assert [path.name for path in first.iterdir()] == ["model"]


def test_a_file_of_that_name_is_left_alone_too(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("precious")
    assert new_run_folder(tmp_path / "run").name == "run-2"
    assert (tmp_path / "run").read_text() == "precious"


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def test_metrics_are_one_object_per_line_and_no_number_is_beyond_json(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.log("train", step=1, loss=0.5)
    journal.log("valid", step=2, loss=math.nan, more={"x": [math.inf, (1.0, "ü\u2028")]})
    assert entries(tmp_path / "metrics.jsonl") == [
        {"kind": "train", "step": 1, "loss": 0.5},
        {"kind": "valid", "step": 2, "loss": None, "more": {"x": [None, [1.0, "ü\u2028"]]}},
    ]


def test_samples_are_one_evaluation_per_line(tmp_path: Path) -> None:
    Journal(tmp_path).samples(3, 0.5, [{"input": "a"}])
    assert entries(tmp_path / "samples.jsonl") == [
        {"step": 3, "epoch": 0.5, "samples": [{"input": "a"}]}
    ]


def test_a_process_that_is_not_the_main_one_writes_nothing(tmp_path: Path) -> None:
    journal = Journal(None)
    journal.log("train", step=1)
    journal.samples(1, 0.0, [])
    journal.rewind(0)
    assert not list(tmp_path.iterdir())


def test_rewinding_drops_what_came_later_and_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2, 3, 2):
        journal.log("train", step=step, text="ü")
        journal.samples(step, 0.0, [])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(b'not json\n{"step": 1, "lo')
    journal.rewind(2)
    assert [entry["step"] for entry in entries(tmp_path / "metrics.jsonl")] == [1, 2, 2]
    assert [entry["step"] for entry in entries(tmp_path / "samples.jsonl")] == [1, 2, 2]
