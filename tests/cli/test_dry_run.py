"""A dry run says how the data of every task is read and what of it is cut, and trains nothing."""

from pathlib import Path

import pytest

from regard.cli import main
from tests.tables.tasks import ROWS

READING = {name: row for name, row in ROWS.items() if row.file is not None}


@pytest.mark.parametrize("name", [n for n in READING if n not in ("tag", "extract")])
def test_the_data_of_every_task_is_told_and_nothing_is_left(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = READING[name].written(Path()).name
    assert main(["train", "--data", file, "--task", name, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"read as {name} (") and "nothing was trained" in said
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_what_is_too_long_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{'so ' * (300 if n % 3 else 2)}{n},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "a.csv").write_text("text,label\n" + rows)
    assert main(["train", "--data", str(tmp_path / "a.csv"), "--dry-run"]) == 0
    assert "training texts have more than 256 tokens and are cut there" in capsys.readouterr().out


def test_interactions_of_which_some_were_looked_at_are_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"u{n % 2500},i{n % 7},{n}\n" for n in range(7500))
    (tmp_path / "a.csv").write_text("user,item,timestamp\n" + rows)
    assert main(["train", "--data", str(tmp_path / "a.csv"), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("read as recommend (")
