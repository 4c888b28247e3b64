"""The page of a run that was trained shows what its evaluations found, and its files agree."""

import json
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.run.training import Options
from regard.training.run_folder import Journal
from regard.view.run_log import read_run
from tests.run.tiny import SMALL, data_of
from tests.view.parsed import parsed, section


def trained(name: str, out: Path, **more: Any) -> Path:
    settings = {"recipe": name, "steps": 4, "evaluate_every": 2, **SMALL[name], **more}
    regard.train(data_of(name), out=str(out), options=Options(progress=False), **settings)
    return out


@pytest.mark.parametrize("name", ["lstm", "abcnn"])
def test_a_run_with_labels_counts_what_was_answered_for_each(tmp_path: Path, name: str) -> None:
    run = read_run(trained(name, tmp_path / "run"))
    found = run.confusion["valid"]
    last = [record for record in run.records if record["kind"] == "valid"][-1]
    total = sum(map(sum, found.counts))
    right = sum(found.counts[n][n] for n in range(len(found.labels)))
    assert found.step == last["step"] and total > 0
    assert right / total == pytest.approx(last["accuracy"])
    assert list(found.labels) == list(regard.Run(tmp_path / "run").predictor.coder.labels)
    page = parsed((tmp_path / "run" / "report.html").read_text("utf-8"))
    scripts = section(page, "Labels and answers, valid data").all("script")
    drawn = json.loads(scripts[0].text)
    assert drawn["labels"] == list(found.labels)
    cells = {(label, answer): count for label, answer, count in drawn["cells"]}
    places = range(len(found.labels))
    assert found.counts == tuple(tuple(cells.get((i, j), 0) for j in places) for i in places)


@pytest.mark.parametrize("name", ["lstm_regressor", "transformer"])
def test_a_run_without_labels_has_no_confusions(tmp_path: Path, name: str) -> None:
    folder = trained(name, tmp_path / "run")
    assert not (folder / "confusion.json").exists()
    assert "Labels and answers" not in (folder / "report.html").read_text("utf-8")


def test_the_latest_confusions_of_each_split_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.confusion("valid", 1, ["a", "\ud800"], [[1, 0], [0, 0]])
    journal.confusion("test", 2, ["a", "b"], [[0, 3], [0, 4]])
    journal.confusion("valid", 3, ["a", "b"], [[2, 0], [0, 0]])
    whole = json.loads((tmp_path / "confusion.json").read_text())
    assert whole["valid"] == {"step": 3, "labels": ["a", "b"], "counts": [[0, 0, 2]]}
    assert whole["test"]["counts"] == [[0, 1, 3], [1, 1, 4]]
    (tmp_path / "confusion.json").write_text("[")
    journal.confusion("valid", 4, ["a"], [[1]])
    assert list(json.loads((tmp_path / "confusion.json").read_text())) == ["valid"]
    Journal(None).confusion("valid", 1, ["a"], [[1]])
