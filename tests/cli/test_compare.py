"""`regard compare` puts runs side by side, and says in a sentence when it cannot."""

import json
from pathlib import Path

import pytest

from regard.cli.compare import run
from regard.errors import UsageError


def folder(where: Path, loss: float = 2.0, config: str = 'task = "translate"\n') -> Path:
    where.mkdir(parents=True)
    lines = [
        {"kind": "train", "step": 1, "seconds": 3.0, "loss": 4.0, "tokens_per_second": 1000.0},
        {"kind": "valid", "step": 1, "loss": loss, "bleu": 10 - loss},
        {"kind": "test", "step": 1, "loss": loss + 1},
    ]
    (where / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (where / "config.toml").write_text(config)
    return where


def test_a_table_has_a_column_for_each_run_and_a_star_at_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [folder(tmp_path / "a", 2.0), folder(tmp_path / "b", 1.5)]
    assert run(runs, tmp_path / "page.html", json=False) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["a", "b"]
    assert ["best", "valid", "loss", "↓", "2", "★", "1.5"] in lines
    assert ["best", "valid", "BLEU", "↑", "8", "★", "8.5"] in lines
    assert ["tokens", "per", "second", "1,000", "1,000"] in lines
    assert "<h1>Comparison</h1>" in (tmp_path / "page.html").read_text("utf-8")


def test_the_keys_in_which_configurations_differ_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = folder(tmp_path / "a", config='task = "t"\nseed = 0\nsame = 1\n[model]\nlayers = 2')
    two = folder(tmp_path / "b", config='task = "t"\nseed = 1\nsame = 1\n[model]\nwidth = "x"')
    run([one, two], tmp_path / "page.html", json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for row in (["seed", "0", "1"], ["model.layers", "2", "–"], ["model.width", "–", "x"]):
        assert row in lines
    assert not any(line[:1] == ["same"] for line in lines)


def test_json_is_one_object_with_the_same_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [folder(tmp_path / "a", 2.0), folder(tmp_path / "b", 1.5)]
    assert run(runs, tmp_path / "page.html", json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["best valid loss"] for one in told["runs"]] == [2.0, 1.5]
    assert [one["test loss"] for one in told["runs"]] == [3.0, 2.5]
    assert told["page"] == str(tmp_path / "page.html") and told["differences"] == {}


def test_dates_and_lists_in_a_configuration_are_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = folder(tmp_path / "a", config="when = 2026-03-03\nx = [1, nan]")
    run([one, folder(tmp_path / "b")], tmp_path / "page.html", json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed)["differences"]["when"] == ["2026-03-03", None]
    assert "NaN" not in printed


def test_runs_of_one_name_are_told_apart_by_their_paths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [folder(tmp_path / "a" / "run"), folder(tmp_path / "b" / "run")]
    run(runs, tmp_path / "page.html", json=True)
    assert [one["run"] for one in json.loads(capsys.readouterr().out)["runs"]] == list(
        map(str, runs)
    )


def test_runs_of_different_tasks_are_not_compared(tmp_path: Path) -> None:
    runs = [folder(tmp_path / "a"), folder(tmp_path / "b", config='task = "classify"')]
    with pytest.raises(UsageError, match="a is a run of translate and b one of classify"):
        run(runs, tmp_path / "page.html", json=False)
    assert not (tmp_path / "page.html").exists()


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "em\x1b[31mpty").mkdir()
    with pytest.raises(UsageError, match="pty is not the folder of a run: it has no metrics"):
        run([folder(tmp_path / "a"), tmp_path / "em\x1b[31mpty"], tmp_path / "p.html", json=False)


def test_a_page_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere/p.html cannot be written"):
        run([folder(tmp_path / "a")], tmp_path / "nowhere" / "p.html", json=False)


def test_the_terminal_obeys_no_text_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "[bold]x\\u001b]0;hacked\\u0007"
    runs = [folder(tmp_path / "a", config=f'model = "{hostile}"'), folder(tmp_path / "b")]
    run(runs, tmp_path / "page.html", json=False)
    printed = capsys.readouterr().out
    assert "[bold]x]0;hacked" in printed and "\x1b" not in printed and "\x07" not in printed
