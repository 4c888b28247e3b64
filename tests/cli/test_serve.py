"""`regard serve` says where it is, ends by Ctrl-C, and names what was mistyped or is missing."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import regard
from regard.cli import main
from regard.run.training import Options
from tests.cli.test_cli import ENVIRONMENT
from tests.patience import PATIENCE

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


@pytest.fixture
def run_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    quiet = Options(progress=False)
    regard.train("films.csv", model="transformer_classifier", steps=1, out="run", options=quiet)
    return tmp_path


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_it_serves_until_it_is_interrupted(run_in_a_folder: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "regard", "serve", "run"],
        cwd=run_in_a_folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.fullmatch(r"run is at (http://127\.0\.0\.1:\d+/)#token=([\w-]{40,})\n", first)
        assert found is not None, first
        asked = urllib.request.Request(
            f"{found[1]}api/ask",
            json.dumps({"text": "a good film"}).encode(),
            {"authorization": f"Bearer {found[2]}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
            assert json.loads(reply.read().splitlines()[-1])["answer"] in ("pos", "neg")
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: -15}[number]
    assert errors == ("regard: interrupted\n" if number == signal.SIGINT else "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "there is no folder nowhere"),
        ([], "RUN"),
        (["run", "--port", "70000"], "a port from 0 to 65535, got '70000'"),
        (["run", "--port", "-1"], "a whole number from 0, got '-1'"),
        (["run", "--hots", "x"], "did you mean --host"),
        (["run", "--host", "0.0.0.0"], "every address of this machine"),
        (["run", "--host", "::"], "every address of this machine"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], reason: str, run_in_a_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(
    run_in_a_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "run", "--port", str(port)]) == 1
    assert f"127.0.0.1:{port} cannot be listened at" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "run"]) == 2
    assert 'install it with: pip install "regard[serve]"' in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    assert "regard serve runs/pairs" in capsys.readouterr().out
