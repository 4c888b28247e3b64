"""Arguments, settings and files that nobody means: one sentence, soon, and exit code 2."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.cli import main
from regard.cli.options import VERBS
from tests.cli.small import put
from tests.hostile.folders import folder_of
from tests.hostile.laws import require_sentence, soon
from tests.patience import PATIENCE

MEGABYTE = "a" * 1_000_000
ODD = {
    "nothing": "",
    "a space": " ",
    "an equals sign": "=",
    "a megabyte": MEGABYTE,
    "a NUL": "a\0b",
    "a byte": "a\udcffb",
    "half of a character": "\ud800",
    "escapes": "\x1b[2J\n\r\u202e",
    "a look-alike": "lеarning_rate=1",  # its first e is Cyrillic
    "a wide look-alike": "ｌｒ＝1",
    "dots": "..........",
    "a long path": "a/" * 5000,
    "a tilde": "~nobody-is-called-this/x",
    "a bracket": "[",
    "options in it": "--data=--set",
}
VALUES = {
    "deep": "[" * 5000 + "]" * 5000,
    "deep and open": "[" * 5000,
    "deep tables": "{a=" * 2000 + "1" + "}" * 2000,
    "dots": ".".join("a" * 3000) + "=1",
    "many digits": "9" * 4001,
    "more digits": "9" * 5001,
    "larger than any": "1e999",
    "calls": "f(" * 400 + ")" * 400,
    "parentheses": "(" * 900 + ")" * 900,
    "minus signs": "-" * 1500 + "1",
    "a date": "1979-05-27",
    "two lines": "1\nsteps = 3",
    "a table": "{a=1}",
    "a string": "'\\d'",
    "an odd number": "1if",
    "a comment": "3 # 4",
    "a surrogate": "'\udcff'",
}
SETTINGS = ("learning_rate", "dropout", "steps", "tokens", "positions", "normalizer", "pooling",
            "longest", "sentences", "norm", "tokens.size", "data.encoding", "data", "model.name",
            "task.name", "minutes", "attention", "no_such", "optimizer", "source")  # fmt: skip


def ended(call: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and what was said, which is one line that can be seen, and said soon."""
    capsys.readouterr()
    with soon():
        code = call()
    printed = capsys.readouterr()
    assert (code == 0) == (printed.err == "")
    if code:
        assert printed.err.count("\n") == 1 and printed.err.startswith("regard: ")
        require_sentence(printed.err[:-1])
    return code, printed.err


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_argument_of_any_verb_is_answered_in_one_line(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(put(tmp_path, "labels.csv"))
    monkeypatch.chdir(tmp_path)
    run = str(folder_of("classify"))
    dry = ["train", "--data", data, "--dry-run"]
    calls = [
        [odd],
        *([verb, odd] for verb in VERBS if verb not in ("demo", "doctor")),
        ["train", odd, "--data", data, "--dry-run"],
        ["train", "--data", odd, "--dry-run"],
        *([*dry, option, odd] for option in ("--set", "--config", "--model", "--task", "--source",
          "--encoding", "--attention", "--normalizer", "--epochs", "--steps", "--resume")),
        [*dry, "--set", f"dropout={odd}"],
        [*dry, "--set", f"{odd}=3"],
        ["predict", run, odd],
        ["predict", run, "a", "--answers", odd],
        ["eval", run, "--data", odd],
        ["eval", run, "--metrics", odd],
        ["compare", run, odd],
        ["compare", run, run, "--out", odd + "/x"],
        ["recipes", "cat", odd],
        ["recipes", "cp", "lstm", odd + "/x/y"],
    ]  # fmt: skip
    for call in calls:
        try:
            ended(lambda: main(call), capsys)  # noqa: B023
        except BaseException as error:
            error.add_note(f"regard {' '.join(call)[:200]}")
            raise


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_an_odd_value_of_any_setting_is_answered_in_one_line(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(put(tmp_path, "labels.csv"))
    for key in SETTINGS:
        try:
            call = ["train", "--data", data, "--dry-run", "--set", f"{key}={value}"]
            ended(lambda: main(call), capsys)  # noqa: B023
        except BaseException as error:
            error.add_note(f"--set {key}={value[:60]}")
            raise


@pytest.mark.parametrize("text", [
    *(f"[model]\ndropout = {value}\n" for value in VALUES.values() if "\udcff" not in value),
    "a" * 900_000, "[" * 900_000, "[model." + ".".join("a" * 3000) + "]\nb = 1\n",
    "[model]\n" + ".".join("a" * 3000) + " = 1\n", "[train]\n" + "a = 1\n" * 2,
    "\0", "\ufeff[train]\nsteps = 1\n", "[\"\\u001b[2J\"]\na = 1\n",
    "[model]\n\"\\u001b[2J\" = 1\n",
    "[[model]]\n", "model = 3\n", "[model]\nname = []\n", "[model]\nname = 3\n",
    "[task]\nname = {}\n", "[data]\npath = 3\n", "[train]\nsteps = nan\n", "[train]\nsteps = inf\n",
])  # fmt: skip
def test_odd_toml_is_answered_in_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(put(tmp_path, "labels.csv"))
    (tmp_path / "x.toml").write_bytes(text.encode())
    call = ["train", "--data", data, "--dry-run", "--config", str(tmp_path / "x.toml")]
    ended(lambda: main(call), capsys)


def sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**30)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero"),
    sparse, lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.symlink_to(path)],
    ids=["a pipe", "a folder", "a device", "a gigabyte", "no text", "a loop"])  # fmt: skip
def test_a_configuration_that_is_no_file_is_answered_in_one_line(
    make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(put(tmp_path, "labels.csv"))
    make(tmp_path / "x.toml")
    call = ["train", "--data", data, "--dry-run", "--config", str(tmp_path / "x.toml")]
    code, said = ended(lambda: main(call), capsys)
    assert code == 2 and "x.toml cannot be read" in said
    (tmp_path / "run").mkdir()
    make(tmp_path / "run" / "config.toml")
    ended(lambda: main(["eval", str(tmp_path / "run")]), capsys)
    ended(lambda: main(["train", "--resume", str(tmp_path / "run"), "--dry-run"]), capsys)


def test_a_file_that_may_not_be_read_is_answered_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(path: Any, *_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    folder = folder_of("classify")
    monkeypatch.setattr("regard._io.files.os.open", denied)
    code, said = ended(lambda: main(["predict", str(folder), "a"]), capsys)
    assert code == 2 and "Permission denied" in said and "Errno" not in said


def test_python_gets_a_sentence_for_odd_settings(tmp_path: Path) -> None:
    data, deep = put(tmp_path, "labels.csv"), []
    for _ in range(5000):
        deep = [deep]
    for wrong in (deep, 10**5000, "\ud800", {"a": deep}, [10**5000], float("nan"), object(), b"x"):
        for name in ("dropout", "steps", "tokens", "positions", "norm", "normalizer", "sentences"):
            with pytest.raises((ValueError, TypeError)) as caught:
                regard.train(data, out=tmp_path / "run", **{name: wrong})
            require_sentence(str(caught.value))


PIPED = {
    "help": ["--help"],
    "recipes": ["recipes", "ls"],
    "a recipe": ["recipes", "cat", "lstm"],
    "doctor": ["doctor"],
    "predict": ["predict", "RUN", "--json", *["bad cab"] * 3000],
    "dry run": ["train", "--data", "DATA", "--dry-run"],
    "train": ["train", "--data", "DATA", "--steps", "2", "--out", "OUT", "--set", "embed_dim=4"],
    "a wrong call": ["trian"],
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", PIPED.values(), ids=PIPED)
def test_a_reader_that_leaves_ends_no_verb_with_a_complaint(
    arguments: list[str], tmp_path: Path
) -> None:
    names = {
        "RUN": str(folder_of("classify")),
        "DATA": str(put(tmp_path, "labels.csv")),
        "OUT": str(tmp_path / "run"),
    }
    call = [sys.executable, "-m", "regard", *(names.get(each, each) for each in arguments)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None and ran.stderr is not None
        ran.stdout.close()
        said = ran.stderr.read()
        code = ran.wait(timeout=PATIENCE)
    assert "Traceback" not in said and "Exception ignored" not in said and "Broken" not in said
    assert code == (2 if arguments == ["trian"] else 0)
