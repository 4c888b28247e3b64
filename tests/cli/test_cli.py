"""The command line: what it prints, what it returns, and that a user never sees a traceback."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.view.run_log import read_run
from tests.patience import PATIENCE, until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
COMMAND = [sys.executable, "-m", "regard"]
Call = Callable[..., str]


def regard(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does; whatever happens, there is no traceback."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.returncode == code, done.stderr
    return done


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from regard.cli import main\n"
        "verbs = ['train', 'predict', 'eval', 'compare', 'export', 'convert', 'demo', 'doctor']\n"
        "verbs += ['recipes', 'view', 'serve', 'bench', '']\n"
        "for verb in verbs:\n"
        "    try: main([verb, '--help'] if verb else ['--help'])\n"
        "    except SystemExit: pass\n"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    verbs = ["train", "predict", "eval", "compare", "export", "convert", "demo", "doctor"]
    for verb in (*verbs, "recipes", "view", "serve", "bench"):
        assert f"usage: regard {verb}" in done.stdout and f"regard {verb} " in done.stdout
    heavy = ("torch", "numpy", "babel", "rich", "einops", "jaxtyping", "datasets", "tokenizers")
    for name in heavy:
        assert f"'{name}'" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["train", "--help"], ["predict", "--help"]])
def test_help_is_given_wherever_it_is_asked_for(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from regard.cli import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "usage: regard" in said
    assert not re.search(r"[A-Z]:[A-Z]", said), "where a value is kept is no word for its user"


def test_the_version_is_printed(done: Call) -> None:
    assert done("--version").startswith("regard 0")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["dmeo"], "did you mean demo"),
        (["trian"], "did you mean train"),
        (["--hlep"], "did you mean --help"),
        (["train", "--bach", "3"], "did you mean --batch"),
        (["train", "--dta", "x"], "did you mean --data"),
        (["train", "--devices", "0"], "a whole number from 1, got '0'"),
        (["train", "--workers", "-1"], "a whole number from 0, got '-1'"),
        (["demo", "--langauges", "en"], "did you mean --languages"),
        (["demo", "--seconds"], "--seconds: expected one argument"),
        (
            ["demo", "--seconds", "soon"],
            "seconds: give a number above 0 and at most 1,000,000,000, got",
        ),
        (
            ["train", "--lr", "-1"],
            "--lr: give a number above 0 and at most 1,000,000,000, got '-1'",
        ),
        (["train", "--seed", "9" * 20], "give a whole number from 0 to 1,000,000,000, got '999"),
        (["train", "--", "a.csv", "--dry-run"], "behind -- is no option; write --dry-run before"),
        (["train", "a.csv", "."], "unexpected argument '.'; several files are one pattern in"),
        (["demo", "--seconds", "-3"], "got '-3'"),
        (["demo", "--seconds", "nan"], "got 'nan'"),
        (["demo", "--seed", "1.5"], "a whole number from 0, got '1.5'"),
        (["demo", "en"], "unexpected argument 'en'"),
        (["demo", "--languages", ""], "with commas"),
        (["demo", "--languages", "en,,fr"], "with commas"),
        (["demo", "--languages", "en,frr_FR"], "unknown language 'frr_FR': did you mean frr"),
        (["demo", "--languages", "en,french"], "did you mean fr (French)"),
        (["demo", "--languages", "en", "--out", "."], "(--out .) cannot be made: it has no name"),
        (["demo", "--languages", "en", "--out", "/dev/null/x"], "(--out /dev/null/x) cannot be ma"),
        (["predict"], "required: RUN;"),
        (["predict", "runs/dates"], "there is no folder runs/dates"),
        (["predict", "runs/dates", "x", "--anwsers", "3"], "did you mean --answers"),
        (["predict", "runs/dates", "x", "--answers", "0"], "a whole number from 1, got '0'"),
        (["predict", "runs/dates", "x", "--beam", "0"], "a whole number from 1, got '0'"),
        (["predict", "runs/nowhere", "<fr> 3"], "no folder runs/nowhere; train one first"),
        (["eval"], "required: RUN"),
        (["compare"], "required: RUN"),
        (["recipes"], "required: action"),
        (["recipes", "list"], "invalid choice: 'list' (choose from"),
        (["recipes", "cp"], "say which recipe: regard recipes cp NAME"),
        (["recipes", "cat", "lstn"], "no recipe 'lstn': did you mean lstm"),
        (["recipes", "ls", "lstm"], "recipes ls takes no 'lstm'; leave it out"),
        (["recipes", "cat", "lstm", "x.toml"], "recipes cat takes no 'x.toml'; leave it out"),
        (["recipes", "cp", "lstm", "no/x.toml"], "no/x.toml cannot be written: No such file"),
    ],
)
def test_a_wrong_call_gets_a_sentence_and_exit_code_2(
    arguments: list[str],
    why: str,
    tmp_path: Path,
    mistake: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert why in mistake(*arguments)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_mistake_ends_a_process_with_code_2_and_no_traceback(tmp_path: Path) -> None:
    done = regard("predict", "nowhere", "<fr> 3", cwd=tmp_path, code=2)
    assert done.stdout == "" and done.stderr.startswith("regard: there is no folder nowhere")


@pytest.mark.slow
def test_output_into_a_pipe_that_closes_ends_quietly(runs: dict[str, Path]) -> None:
    command = f"{sys.executable} -m regard predict {runs['classify']} 'ab cd' | head -1"
    done = subprocess.run(
        ["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_question_marks(runs: dict[str, Path]) -> None:
    environment = ENVIRONMENT | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [*COMMAND, "predict", str(runs["classify"]), "ab cd"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"?" in done.stdout and b"Traceback" not in done.stderr


@pytest.mark.slow
def test_the_demo_learns_shows_and_saves_and_its_run_answers(tmp_path: Path, done: Call) -> None:
    other = tmp_path / "runs/dates"
    other.mkdir(parents=True)
    (other / "model.safetensors").write_text("precious")
    # In a process of its own: the shape hook makes each of a second's many calls slow.
    said = regard("demo", "--languages", "en,fr", "--seconds", "2", cwd=tmp_path).stdout
    assert said.startswith("Learning dates with rnnsearch (")
    assert "In runs/dates-2 (runs/dates existed already and is kept): best, " in said
    assert [path.read_text() for path in other.iterdir()] == ["precious"]
    assert "2,000 dates of days that were held out in every language: " in said
    assert "tokens/s" in said and "left" in said
    assert 'predict runs/dates-2 "<fr> mardi 3 mars 2026"' in said
    assert said.count("<-") == 10 and "open runs/dates-2/demo.html" in said
    folder = tmp_path / "runs/dates-2"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"best", "config.toml", "metrics.jsonl", "report.html", "samples.jsonl"}
    assert '"network"' in (folder / "demo.html").read_text("utf-8")
    run = read_run(folder)
    assert run.status() == "finished" and run.seconds >= 2
    assert run.points("test", "exact") and run.points("valid", "exact")
    told = json.loads(done("predict", folder, "<en> March 3, 2026", "--json"))
    assert told["text"] == "<en> March 3, 2026"
    assert f"{100 * run.points('test', 'exact')[-1][1]:.1f} % exact" in said


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
)
@pytest.mark.slow
def test_an_interrupted_demo_saves_what_it_has(
    tmp_path: Path, number: signal.Signals, code: int, done: Call
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--languages", "en", "--seconds", "300", "--out", "run"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    until(
        lambda: metrics.exists() and b"train" in metrics.read_bytes(),
        lost=lambda: process.poll() is not None,
    )
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code and errors == ""
    assert "Interrupted at step" in output and "regard train --resume run" in output
    assert done("predict", tmp_path / "run", "<en> March 3, 2026", "--json")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("babel", ["demo", "--languages", "en"], 'pip install "regard[demo]"'),
        ("datasets", ["train", "--data", "pairs.tsv"], 'pip install "regard[train]"'),
    ],
)
def test_without_a_package_one_is_told_how_to_install_it(
    missing: str, arguments: list[str], extra: str, tmp_path: Path
) -> None:
    (tmp_path / "pairs.tsv").write_text("source\ttarget\n" + "a\tb\nc\td\ne\tf\n")
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from regard.cli import main; sys.exit(main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 2 and extra in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("config.toml"))


def test_a_thread_that_computes_at_the_end_does_not_abort_the_process() -> None:
    script = """
import threading, time, torch
from regard import cli
matrix = torch.randn(1000, 1000)
def work():
    while True:
        matrix @ matrix
def interrupted():
    threading.Thread(target=work, name="regard.serve", daemon=True).start()
    time.sleep(0.3)
    return cli._told("interrupted", 130)
cli.main = interrupted
cli.program()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "regard: interrupted\n")
