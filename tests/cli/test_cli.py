"""The command line: what it prints, what it returns, and that a user never sees a traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from regard.cli import main
from regard.tasks.dates import Dates

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
COMMAND = [sys.executable, "-m", "regard"]


def regard(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does; whatever happens, there is no traceback."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Make a call that is wrong, in this process, and return the one sentence that says so."""

    def call(*arguments: object) -> str:
        assert main([*map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("regard: ") and printed.err.count("\n") == 1
        return printed.err

    return call


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of an untrained model."""
    torch.manual_seed(0)
    task = Dates(["en", "fr"])
    folder = tmp_path_factory.mktemp("run")
    task.reader(task.model().eval()).save(folder)
    return folder


@pytest.fixture
def predict(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Predict in this process and return the lines printed."""

    def call(*arguments: object) -> list[str]:
        assert main(["predict", *map(str, arguments)]) == 0
        return capsys.readouterr().out.splitlines()

    return call


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from regard.cli import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert "regard demo" in done.stdout and "regard predict" in done.stdout
    for heavy in ("torch", "numpy", "babel", "rich", "einops", "jaxtyping", "tyro"):
        assert f"'{heavy}'" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["demo", "--help"], ["predict", "--help"]])
def test_help_is_given_wherever_it_is_asked_for(arguments: list[str], tmp_path: Path) -> None:
    assert "usage: regard" in regard(*arguments, cwd=tmp_path).stdout


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert regard("--version", cwd=tmp_path).stdout.startswith("regard 0")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["dmeo"], "did you mean demo"),
        (["--hlep"], "did you mean --help"),
        (["demo", "--langauges", "en"], "did you mean --languages"),
        (["demo", "--seconds"], "--seconds: expected one argument"),
        (["demo", "--seconds", "soon"], "seconds such as 120, got 'soon'"),
        (["demo", "--seconds", "-3"], "seconds such as 120, got '-3'"),
        (["demo", "--seconds", "nan"], "got 'nan'"),
        (["demo", "--seed", "1.5"], "a whole number from 0, got '1.5'"),
        (["demo", "en"], "unexpected argument 'en'"),
        (["demo", "--languages", ""], "with commas"),
        (["demo", "--languages", "en,,fr"], "with commas"),
        (["demo", "--languages", "en,frr_FR"], "unknown language 'frr_FR': did you mean frr"),
        (["demo", "--languages", "en,french"], "did you mean fr (French)"),
        (["demo", "--languages", "en", "--out", "."], "--out . cannot be made"),
        (["demo", "--languages", "en", "--out", "/dev/null/x"], "--out /dev/null/x cannot be made"),
        (["predict"], "required: RUN, TEXT"),
        (["predict", "runs/dates"], "required: TEXT"),
        (["predict", "runs/dates", "x", "--baem", "3"], "did you mean --beam"),
        (["predict", "runs/dates", "x", "--beam", "0"], "a whole number from 1, got '0'"),
        (["predict", "runs/nowhere", "<fr> 3"], "no folder runs/nowhere; make one with"),
        (["predict", ".", "<fr> 3"], "has no manifest.json"),
    ],
)
def test_a_wrong_call_gets_a_sentence_and_exit_code_2(
    arguments: list[str],
    why: str,
    tmp_path: Path,
    mistake: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert why in mistake(*arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the text is empty"),
        ("mardi 3 mars", "must begin with the tag"),
        ("<fra> mardi", "did you mean fr"),
        ("<x\x1b]0;hacked\x07> 3", "unknown language"),
    ],
)
def test_a_text_that_cannot_be_read_gets_a_sentence(
    run: Path, text: str, why: str, mistake: Callable[..., str]
) -> None:
    assert why in (said := mistake("predict", run, text))
    assert "\x1b" not in said and "\x07" not in said


def test_a_mistake_ends_a_process_with_code_2_and_no_traceback(tmp_path: Path) -> None:
    done = regard("predict", "nowhere", "<fr> 3", cwd=tmp_path, code=2)
    assert done.stdout == "" and done.stderr.startswith("regard: there is no folder nowhere")


def test_a_damaged_run_folder_gets_a_sentence(
    run: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "model.safetensors is damaged" in mistake("predict", tmp_path, "<fr> 3")


def test_predict_prints_the_answer_and_the_alignment(
    run: Path, predict: Callable[..., list[str]]
) -> None:
    lines = predict(run, "<fr> 3 mai 2026")
    assert lines[2].split() == list(lines[0])
    assert lines[3].startswith("<fr>") and lines[5].startswith("␣")


def test_predict_answers_every_text_in_json(run: Path, predict: Callable[..., list[str]]) -> None:
    texts = ["<fr> 3 mai 2026", "<en> May 3, ☃"]
    answers = [json.loads(line) for line in predict(run, *texts, "--json", "--beam", "3")]
    assert [answer["text"] for answer in answers] == texts
    for answer in answers:
        assert answer["answer"] == answer["answers"][0]["answer"] and len(answer["answers"]) == 3
        assert len(answer["alignment"]) == len(answer["outputs"])
        assert {len(row) for row in answer["alignment"]} == {len(answer["inputs"])}
    assert answers[1]["unknown"] == ["☃"]


def test_a_character_that_was_never_seen_is_pointed_out(
    run: Path, predict: Callable[..., list[str]]
) -> None:
    assert "never seen ☃" in predict(run, "<fr> 3 ☃")[1]


def test_output_into_a_pipe_that_closes_ends_quietly(run: Path) -> None:
    command = f"{sys.executable} -m regard predict {run} '<fr> 3 mai 2026' | head -1"
    done = subprocess.run(
        ["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


def test_a_terminal_without_unicode_gets_question_marks(run: Path) -> None:
    environment = ENVIRONMENT | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [*COMMAND, "predict", str(run), "<fr> 3 mai 2026"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"?" in done.stdout and b"Traceback" not in done.stderr


def test_the_demo_learns_shows_and_saves_and_predict_goes_on(
    tmp_path: Path, predict: Callable[..., list[str]]
) -> None:
    other = tmp_path / "runs/dates"
    other.mkdir(parents=True)
    (other / "model.safetensors").write_text("precious")
    done = regard("demo", "--languages", "en", "--seconds", "3", cwd=tmp_path)
    assert "runs/dates-2 (runs/dates exists already and is kept)" in done.stdout
    assert [path.read_text() for path in other.iterdir()] == ["precious"]
    assert "never trained on" in done.stdout and "exact" in done.stdout
    assert "tokens/s" in done.stdout and "left" in done.stdout
    assert 'regard predict runs/dates-2 "<en> Tuesday, March 3, 2026"' in done.stdout
    assert done.stdout.count("<-") == 10
    folder = tmp_path / "runs/dates-2"
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "manifest.json",
        "metrics.jsonl",
        "model.safetensors",
        "vocabulary.json",
    }
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "loss", "exact", "seconds"} <= metrics[0].keys()
    assert metrics[-1]["by_language"].keys() == {"en"}
    assert predict(folder, "<en> March 3, 2026")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_an_interrupted_demo_saves_what_it_has(
    tmp_path: Path, number: signal.Signals, code: int, predict: Callable[..., list[str]]
) -> None:
    command = [*COMMAND, "demo", "--languages", "en", "--seconds", "300", "--out", "run"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    waited = time.monotonic() + 120
    while not metrics.exists() and time.monotonic() < waited:
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == code and errors == ""
    assert "Interrupted after" in output and "run." in output
    assert predict(tmp_path / "run", "<en> March 3, 2026", "--json")


def test_without_babel_the_demo_says_how_to_install_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['babel'] = None\n"
        "from regard.cli import main; sys.exit(main(['demo', '--languages', 'en']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 2 and 'pip install "regard[demo]"' in done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())
