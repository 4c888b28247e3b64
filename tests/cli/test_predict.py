"""`regard predict`: texts, files and standard input, as pictures or as JSON."""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regard._io.manifest import write_manifest
from regard.cli import main
from tests.tasks.dates import small_reader

Call = Callable[..., str]


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a date reader that has learned nothing."""
    folder = tmp_path_factory.mktemp("dates")
    small_reader("en", "fr").save(folder)
    return folder


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Let these bytes come from standard input."""

    def type_(content: bytes) -> None:
        stream = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
        monkeypatch.setattr("sys.stdin", stream)

    return type_


def objects(printed: str) -> list[dict[str, Any]]:
    assert printed.isascii()
    return [json.loads(line) for line in printed.splitlines()]


def test_the_answer_and_the_alignment_are_printed(dates: Path, done: Call) -> None:
    lines = done("predict", dates, "<fr> 3 mai 2026").splitlines()
    assert "".join(lines[2].split()) == lines[0]
    assert lines[3].startswith("<fr>") and lines[5].startswith("␣")


def test_every_text_is_one_object(dates: Path, done: Call) -> None:
    texts = ["<fr> 3 mai 2026", "<en> May 3, ☃"]
    answers = objects(done("predict", dates, *texts, "--json", "--answers", "3"))
    assert [answer["text"] for answer in answers] == texts
    for answer in answers:
        assert answer["answer"] == answer["answers"][0]["answer"] and len(answer["answers"]) == 3
        scores = [each["log_probability"] for each in answer["answers"]]
        assert scores == sorted(scores, reverse=True)
        assert len(answer["alignment"]) == len(answer["outputs"])
        assert {len(row) for row in answer["alignment"]} == {len(answer["inputs"])}
    assert answers[1]["unknown"] == ["☃"]


def test_a_character_that_was_never_seen_is_pointed_out(dates: Path, done: Call) -> None:
    assert "never seen ☃" in done("predict", dates, "<fr> 3 ☃")


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
    dates: Path, text: str, why: str, mistake: Call
) -> None:
    assert why in (said := mistake("predict", dates, text))
    assert "\x1b" not in said and "\x07" not in said


@pytest.mark.parametrize("task", ["translate", "classify", "language_model"])
def test_every_task_answers_in_pictures_and_in_json(
    runs: dict[str, Path], task: str, done: Call
) -> None:
    (answer,) = objects(done("predict", runs[task], "ab e", "--json"))
    assert answer["text"] == "ab e" and len(answer["answers"]) == 1
    assert done("predict", runs[task] / "best", "ab e").count("\n") > 3
    (several,) = objects(done("predict", runs[task], "ab e", "--json", "--answers", "2"))
    assert len(several["answers"]) == 2
    listed = done("predict", runs[task], "ab e", "--answers", "2", "--no-show")
    assert len([line for line in listed.splitlines() if line.startswith("  ")]) >= 2


def test_a_file_is_answered_line_by_line_without_pictures(
    runs: dict[str, Path], tmp_path: Path, done: Call
) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(b"\xef\xbb\xbfab\r\n\n  \ncd e\nbad\xe2\x80\xa8ace")
    answers = objects(done("predict", runs["classify"], path, "--json"))
    assert [answer["text"] for answer in answers] == ["ab", "", "  ", "cd e", "bad\u2028ace"]
    assert [answer["row"] for answer in answers] == [1, 2, 3, 4, 5]
    silent = [answer["answer"] is None for answer in answers]
    assert silent == [False, True, True, False, False]
    path.write_text("ab\n\n  \ncd e\n")
    lines = done("predict", runs["classify"], path).split("\n")
    assert [bool(line) for line in lines] == [True, False, False, True, False]
    assert {lines[0], lines[3]} <= {"with", "without"}
    several = done("predict", runs["classify"], path, "--answers", "2").split("\n")
    assert {*several[0].split("\t")} == {"with", "without"} and len(several) == 5
    drawn = done("predict", runs["classify"], path, "--show")
    assert drawn.count("\n") > done("predict", runs["classify"], path).count("\n")


def test_show_and_no_show_decide(runs: dict[str, Path], done: Call) -> None:
    drawn = done("predict", runs["classify"], "ab")
    assert drawn == done("predict", runs["classify"], "ab", "--show")
    assert done("predict", runs["classify"], "ab", "--no-show") == drawn.split("\n")[0] + "\n"


def test_standard_input_is_answered_as_it_comes(
    runs: dict[str, Path], typed: Callable[[bytes], None], done: Call
) -> None:
    typed(b"ab\ncd\n")
    answers = objects(done("predict", runs["classify"], "-", "--json"))
    assert [answer["text"] for answer in answers] == ["ab", "cd"]
    typed(b"")
    assert done("predict", runs["classify"], "-", "--json") == ""


def test_what_is_redirected_is_read_without_a_word_and_a_terminal_is_asked_for_one(
    runs: dict[str, Path],
    typed: Callable[[bytes], None],
    done: Call,
    mistake: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(b"ab\ncd\n")
    answers = objects(done("predict", runs["classify"], "--json"))
    assert [answer["text"] for answer in answers] == ["ab", "cd"]
    assert objects(done("predict", runs["classify"], "--json", "ab"))[0]["text"] == "ab"
    for stream in (SimpleNamespace(isatty=lambda: True), None):
        monkeypatch.setattr("sys.stdin", stream)
        said = mistake("predict", runs["classify"])
        assert "say what is asked: a text, a file, or - for standard input" in said


def test_bytes_that_are_no_text_are_named_with_their_line(
    runs: dict[str, Path],
    tmp_path: Path,
    typed: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bad.txt").write_bytes(b"ab\ncd\xff\nab")
    why = "no answer to 1 row of 3: {} line 2: byte 0xff at column 3 is not UTF-8"
    for what, name in ((tmp_path / "bad.txt", tmp_path / "bad.txt"), ("-", "standard input")):
        typed(b"ab\ncd\xff\nab")
        call = ["predict", str(runs["classify"]), str(what), "--encoding", "utf-8", "--json"]
        assert main(call) == 0
        printed = capsys.readouterr()
        answers = objects(printed.out)
        assert [answer["answer"] is None for answer in answers] == [False, True, False]
        assert "line 2: byte 0xff" in answers[1]["error"] and answers[1]["text"] is None
        assert why.format(name) in printed.err


@pytest.mark.parametrize("task", ["translate", "classify", "language_model"])
def test_an_empty_text_is_refused(runs: dict[str, Path], task: str, mistake: Call) -> None:
    assert "text 1 of 1 is empty" in mistake("predict", runs[task], "")


def test_an_answer_cannot_steer_the_terminal(runs: dict[str, Path], done: Call) -> None:
    printed = done("predict", runs["language_model"], "ab\x1b[31m\x07")
    assert "\x1b" not in printed and "\x07" not in printed


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json", "task.json", "manifest.json"]
)
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "a folder", "a pipe"])
def test_a_damaged_model_gets_a_sentence(
    runs: dict[str, Path], name: str, damage: str, tmp_path: Path, mistake: Call
) -> None:
    folder = tmp_path / "best"
    shutil.copytree(runs["translate"] / "best", folder)
    content = (folder / name).read_bytes()
    if damage == "missing":
        (folder / name).unlink()
    elif damage == "cut":
        (folder / name).write_bytes(content[:-9])
    elif damage.startswith("a "):
        (folder / name).unlink()
        {"a folder": os.mkdir, "a pipe": os.mkfifo}[damage](folder / name)
    else:
        place = len(content) // 2
        flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        (folder / name).write_bytes(flipped)
    said = mistake("predict", tmp_path, "ab")
    assert name in said or name == "manifest.json"
    if damage.startswith("a "):
        assert "should be a file; copy the whole" in said or f"{name} cannot be read: " in said
        assert "regard demo" not in said


def test_a_run_without_a_model_says_so(tmp_path: Path, mistake: Call) -> None:
    assert "has no trained model: there is no best/ in it yet" in mistake("predict", tmp_path, "x")
    missing = mistake("predict", tmp_path / "no", "x")
    assert "there is no folder" in missing and "regard train" in missing


def test_a_model_that_is_vouched_for_but_lacks_an_entry_gets_a_sentence(
    runs: dict[str, Path], tmp_path: Path, mistake: Call
) -> None:
    best = runs["classify"] / "best"
    for path in best.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    about = json.loads((tmp_path / "task.json").read_text())
    del about["longest"]
    (tmp_path / "task.json").write_text(json.dumps(about))
    write_manifest(tmp_path, [path.name for path in best.iterdir() if path.name != "manifest.json"])
    assert "task.json lacks 'longest'" in mistake("predict", tmp_path, "a text")
