"""A run never takes another run's folder."""

import json
from pathlib import Path

from regard.train.run_folder import log_metrics, new_run_folder


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


def test_metrics_are_one_object_per_line(tmp_path: Path) -> None:
    log_metrics(tmp_path, step=1, loss=0.5)
    log_metrics(tmp_path, step=2, exact=None)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "exact": None},
    ]
