"""`regard export`: a file for other programs, the difference printed, or one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from regard.run import exporting

Call = Callable[..., str]


def test_what_is_written_is_compared_and_said(
    runs: dict[str, Path], tmp_path: Path, done: Call
) -> None:
    out = tmp_path / "weights"
    said = done("export", runs["classify"], "--format", "safetensors", "--out", out)
    assert said.startswith(f"wrote {out}\nread again: ")
    assert said.endswith("greatest difference 0\n")
    said = done("export", out, "--format", "safetensors", "--no-check")
    assert said.splitlines() == [
        f"wrote {out / 'export' / 'model'}",
        "not compared with the network: --no-check",
    ]


def test_a_file_that_answers_otherwise_is_no_success(
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from regard.cli import main

    far = exporting.Exported(tmp_path / "model.onnx", "onnx", 0.5, 0.01, 6)
    monkeypatch.setattr("regard.run.run.export", lambda *_: far)
    assert main(["export", str(runs["classify"])]) == 1
    assert "differs by 0.01 of the greatest output, more than 0.0001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--format", "onix"], "invalid choice: 'onix'"),
        (["--out", "there.onnx"], "there.onnx exists already; remove it"),
        (["--fromat", "onnx"], "unknown option '--fromat', did you mean --format"),
    ],
)
def test_what_cannot_be_exported_gets_a_sentence(
    runs: dict[str, Path],
    arguments: list[str],
    why: str,
    tmp_path: Path,
    mistake: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").write_text("mine")
    assert why in mistake("export", runs["classify"], *arguments)
    assert (tmp_path / "there.onnx").read_text() == "mine"


def test_a_missing_package_is_named_with_the_line_that_installs_it(
    runs: dict[str, Path], mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert 'pip install "regard[onnx]"' in mistake("export", runs["classify"])


def test_a_mistyped_verb_is_recognised(mistake: Call) -> None:
    assert "unknown verb 'exprot', did you mean export?" in mistake("exprot")
