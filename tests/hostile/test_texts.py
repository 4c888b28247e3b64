"""Texts of any length and make: what is asked for is read, or a sentence says what is too much."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.cli import main
from regard.data.encoding.documents import DocumentCoder
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks import TASKS
from tests.hostile.folders import asked, folder_of
from tests.hostile.laws import require_sentence, sentence
from tests.one_by_one import all_in_one
from tests.tables.tasks import ROWS

MANY = 1_000_000
LONG = {
    "words": "bad cab " * (MANY // 8),
    "one word": "a" * MANY,
    "spaces": " " * MANY + "a",
    "sentences": "a. " * (MANY // 3),
    "question marks": "?" * MANY,
    "letters that are not known": "日" * MANY,
    "marks": "e" + "\u0301" * MANY,
    "quotes": "a." + '"' * MANY,
}
BROKEN = {
    "nothing": "",
    "a space": " ",
    "a NUL": "a\0b",
    "half of a character": "a\ud800b",
    "a byte": "a\udcffb",
    "escapes": "\x1b[2J\x07\u202e",
    "a tag": "<fr> \ud800",
    "tabs": "a\tb\tc",
    "no characters": "\ufffe\uffff\U0010ffff",
}


def prefixed(task: str, text: str) -> str:
    """The text where the task has one: a date after its tag, one side of a pair, a story."""
    begins = {"dates": "<fr> ", "match": "bad\t"}
    return begins.get(task, "") + text + (" Where is Mary?" if task == "answer" else "")


AT_ONCE = [task for task in (*TASKS,)[::3] if task != "permutation_lm"]
"""Tasks that are tried by default; one of the others takes as long as all of these."""


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[pytest.mark.slow] * (task not in AT_ONCE)) for task in TASKS],
)
@all_in_one("text", LONG.values(), ids=LONG)
def test_a_text_of_a_megabyte_is_read_or_refused_at_once(task: str, text: str) -> None:
    run = regard.Run(folder_of(task))
    asked(folder_of(task), task)
    sentence(lambda: run.predict([prefixed(task, text)]))


@pytest.mark.parametrize("task", TASKS)
@all_in_one("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_text_is_read_or_refused_in_one_sentence(
    task: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = regard.Run(folder_of(task))
    said = sentence(lambda: run.predict([prefixed(task, text)]))
    sentence(lambda: run.predict([text]))
    if "\ud800" in text:
        assert said is not None and "half of one" in said
    for options in ([], ["--json"]):
        code = main(
            ["predict", str(folder_of(task)), "--show", *options, "--", prefixed(task, text)]
        )
        printed = capsys.readouterr()
        assert code in (0, 2) and (code == 0) == (printed.err == "")
        if code:
            require_sentence(printed.err.rstrip("\n"))
        assert not {*printed.out} & {"\x1b", "\x07", "\u202e", "\0"}


def test_what_a_translator_cannot_read_is_told_with_numbers() -> None:
    run = regard.Run(folder_of("translate"))
    longest = run.predictor.coder.longest
    said = sentence(lambda: run.predict(["bad cab " * 125_000]))
    assert said is not None and "1,000,000 characters" in said
    assert f"texts of up to {longest} tokens" in said


@pytest.mark.slow
@pytest.mark.parametrize("task", ["translate", "classify", "match", "language_model"])
def test_ten_megabytes_cost_no_gigabyte(task: str) -> None:
    script = f"""
import resource, regard
run = regard.Run({str(folder_of(task))!r})
run.predict([{ROWS[task].asked!r}])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    run.predict([{prefixed(task, "")!r} + "bad cab " * 1_250_000])
except ValueError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert resource.RUSAGE_SELF == 0 and int(ran.stdout) < 150_000


KINDS = ("bpe", "wordpiece", "unigram", "words", "characters")
PLAIN = "The quick brown fox, it is said; jumps over 12 lazy dogs. So be it! "


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("longest", [1, 7, 300])
def test_the_first_tokens_of_a_long_text_are_those_of_the_whole(kind: str, longest: int) -> None:
    tokenizer = Tokenizer.train([PLAIN], kind, 300)
    for text in (PLAIN * 500, "fox" * 9000, " " * 30_000 + "fox", "a", "\n" * 9000 + PLAIN):
        whole = tokenizer.encode([text]).values[:longest]
        assert tokenizer.encode([text], longest).values.tolist() == whole.tolist()
        document = DocumentCoder(tokenizer)
        whole = document.encode([text]).values[:longest]
        assert document.encode([text], longest).values[:longest].tolist() == whole.tolist()


def test_every_message_is_printed_so_that_it_can_be_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from regard import cli
    from regard.errors import RegardError, UsageError

    nasty = "no 'a\x1b[2J\u202e\x9b\ud800\0b'\n\r  " + "x" * 100_000
    errors: list[Any] = [UsageError(nasty), RegardError(nasty), OSError(nasty)]
    errors += [OSError(2, "No such file", nasty), FloatingPointError(nasty), MemoryError()]
    for error in errors:

        def fails(_: Any, error: Any = error) -> Any:
            raise error

        monkeypatch.setattr(cli, "command_of", fails)
        assert main([]) in (1, 2)
        said = capsys.readouterr().err
        assert said.startswith("regard: ") and said.endswith("\n") and "\n" not in said[:-1]
        require_sentence(said[:-1])
        assert "No such file" in said or len(error.args) < 2
