"""Text that is a chat, a log, a glossary, trees or a printed table is named, and prose is read."""

from pathlib import Path

import pytest

from regard.data.reading.line_forms import line_form
from tests.data.any_task import read

SAID = [
    f"the {thing} {how}"
    for thing in ("old bridge", "waiter", "soup", "last train", "room")
    for how in ("was cold", "looked clean again", "came late that evening")
]
NAMES = ["Anna", "Ben", "Clara"]


def lines(form: str) -> str:
    return "".join(
        form.format(
            n=n,
            minute=n + 10,
            name=NAMES[n % 3],
            said=said,
            one=f"w{chr(97 + n)}x",
            two=f"v{chr(97 + n)}z",
        )
        for n, said in enumerate(SAID)
    )


FORMS = {
    "[12:{minute}] {name}: {said}\n": "a time in each line",
    "12/03/21, 14:{minute} - {name}: {said}\n": "a time in each line",
    "[12.03.21, 14:{minute}:07] {name}: {said}\n": "a time in each line",
    "[12:{minute}:33] <{name}> {said}\n": "a time in each line",
    '10.0.0.{n} - - [10/Oct/2000:13:{minute}:36 -0700] "GET /{n}" 200\n': "a time in each line",
    "{name}  12:{minute} PM\n{said}\n\n": "a name and a time above each message",
    "[3/12/2021 2:{minute} PM] {name} Smith:\n{said}\n\n": "a time in each line",
    "{name}, [12.03.21 14:{minute}]\n{said}\n\n": "a name and a time above",
    " text = {said}\nlabel = {name}\n\n": "a name before each line",
    "{one}, {two}\n": "two texts in each line",
    "{one} / {two}\n": "two texts in each line",
    "{said} [{name}]\n": "a label in brackets behind each text",
    "{one} {two} [pin yin] /{said}/\n": "a dictionary .CEDICT.",
    "{said} & {name} \\\\\\\\\n": "a table between bars",
    "{name}: {said}\n": "a name before each line",
    "<{name}> {said}\n": "a name before each line",
    "### Human: {said}?\n### Assistant: no, {said}\n\n": "a name before each line",
    "{one} - {two}\n": "two texts in each line",
    "{n}. {one} – {two}\n": "two texts in each line",
    "{one}: {two}\n": "two texts in each line",
    "key.{n}={said}\n": "two texts in each line",
    "{said}. - {said}, it said.\n": "two texts in each line",
    "{one} ({two})\n": "a text in brackets behind each",
    "( (S (NP (DT the) (NN {one})) (VP {two})))\n": "trees in brackets",
    "(3 (2 {one}) (1 {two}))\n": "trees in brackets",
    "{n} 7 12\n{minute} 4\n": "numbers alone",
    "{one} AH0 B {name[0]}\n": "words and their sounds",
    "{one} 0.1 -0.2 0.3 0.4 0.55\n": "vectors of words",
    "{one} 1{minute}\n": "a number behind each word",
    "{n}   {said}   good\n": "the numbers of rows",
    "| {one} | {two} |\nand so on\n": "a table between bars",
    "{said}\n{one} {two}\n\n": "",
    "{said}, and it went on: {said}.\n": "",
    "{name}:\n{said}.\n\n": "",
    "{said}. {said} - {said}\n{said}\n": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_another_form_are_named_and_learned_where_that_is_said(
    tmp_path: Path, form: str
) -> None:
    head = "text label\n" if FORMS[form] == "the numbers of rows" else ""
    (tmp_path / "a.txt").write_text(head + lines(form))
    if FORMS[form]:
        with pytest.raises(ValueError, match=f"a.txt .*{FORMS[form]}.*--task language_model"):
            read(str(tmp_path / "a.txt"))
    task = "language_model" if FORMS[form] else None
    assert read(str(tmp_path / "a.txt"), task).task == "language_model"


def test_blocks_of_two_lines_are_texts_and_translations_where_no_word_is_of_both() -> None:
    german = [" ".join(f"{word[::-1]}en" for word in said.split()) for said in SAID]
    blocks = "".join(f"{one}\n{two}\n\n" for one, two in zip(SAID, german, strict=True))
    assert "two lines for each text" in line_form(blocks.split("\n"))
    assert "two lines for each text" in line_form(blocks.replace("\n\n", "\n").split("\n"))
    verses = "".join(f"{one}\n{two}\n\n" for one, two in zip(SAID, SAID[1:], strict=False))
    assert line_form(verses.split("\n")) == ""
