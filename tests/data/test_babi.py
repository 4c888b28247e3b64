"""The official file format of bAbI is read exactly, or refused with file and line."""

from collections import Counter
from pathlib import Path

import pytest

from regard.data.reading.babi import Babi, babi_split, is_babi, write_babi
from regard.data.reading.rows import RowSource
from regard.data.synthetic.stories import STORY_KINDS, story_rows

SAMPLE = (
    "1 Mary moved to the bathroom.\n"
    "2 John went to the hallway.\n"
    "3 Where is Mary? \tbathroom\t1\n"
    "4 Daniel went back to the hallway.\n"
    "5 What is Daniel carrying? \tmilk,football\t4 2\n"
    "1 Sandra is here.\n"
    "2 Is Sandra here?\tyes\n"
)


def read(path: Path) -> list[tuple[str, ...]]:
    return list(Babi(path).read(Counter()))


def written(folder: Path, text: str | bytes, name: str = "qa1_a_train.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_questions_are_no_sentences_and_supports_are_numbers_of_sentences(tmp_path: Path) -> None:
    first = "Mary moved to the bathroom.\nJohn went to the hallway."
    assert read(written(tmp_path, SAMPLE)) == [
        (first, "Where is Mary?", "bathroom", "1"),
        (
            f"{first}\nDaniel went back to the hallway.",
            "What is Daniel carrying?",
            "milk,football",
            "3 2",
        ),
        ("Sandra is here.", "Is Sandra here?", "yes", ""),
    ]


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    plain = read(written(tmp_path, SAMPLE))
    dressed = b"\xef\xbb\xbf" + SAMPLE.replace("\n", "\r\n").encode() + b"\r\n\r\n"
    assert read(written(tmp_path, dressed)) == plain


@pytest.mark.parametrize("kind", STORY_KINDS)
def test_what_is_written_is_read_again(tmp_path: Path, kind: str) -> None:
    wanted = list(story_rows("test", 23, seed=1, kind=kind))
    write_babi(tmp_path / "x.txt", wanted)
    assert read(tmp_path / "x.txt") == wanted
    text = (tmp_path / "x.txt").read_text()
    stories = 23 if kind == "qa4" else 5
    assert text.count("\n1 ") + 1 == stories


def test_rows_are_rows(tmp_path: Path) -> None:
    found = Babi(tmp_path / "x")
    assert isinstance(found, RowSource) and found.files == (tmp_path / "x",)


def test_a_question_about_nothing_has_an_empty_story(tmp_path: Path) -> None:
    assert read(written(tmp_path, "1 Who?\tme\t\n")) == [("", "Who?", "me", "")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 A walks.\n2 B walks.\n1 C walks.\n2 Who?\tC\t1\n", "line 1: nothing is asked"),
        ("1 A walks.\n2 Who?\tA\t1\n1 C walks.\n", "line 3: nothing is asked"),
        ("1 A walks.\n2 Who walks?\n", "line 2: a question needs its answer behind a tab"),
        ("1 A walks.\n2 Who walks? \t\t1\n", "line 2: a question is followed by"),
        ("1 A walks.\n2 Who walks? \tA\t1\t7\n", "line 2: a question is followed by"),
        ("1 A walks.\n2 Who?\tA\t3\n", "line 2: the support '3' is no earlier sentence"),
        ("1 A walks.\n2 Who?\tA\t2\n", "line 2: the support '2' is no earlier sentence"),
        ("1 A walks.\n2 Who?\tA\tone\n", "line 2: the support 'one'"),
        ("1 A walks.\n3 Who?\tA\t1\n", "line 2: the number is 3 and should be 2, or 1"),
        ("2 A walks.\n", "line 1: the number is 2 and should be 1"),
        ("1 A walks.\nB walks.\n", "line 2: 'B walks.' does not begin with the number"),
        (b"1 A walks.\n2 Wh\xff?\tA\t1\n", "line 2: byte 0xff"),
    ],
)
def test_a_broken_file_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=f"{path.name} {why}"):
        read(path)


def test_an_official_name_or_the_look_of_the_file_tells_the_format(tmp_path: Path) -> None:
    assert is_babi(Path("qa20_agents-motivations_test.txt"))
    assert is_babi(written(tmp_path, SAMPLE, "stories.txt"))
    assert not is_babi(written(tmp_path, SAMPLE, "stories.csv"))
    assert not is_babi(written(tmp_path, "1 one\n2 two\n", "list.txt"))
    assert not is_babi(written(tmp_path, "one\n", "prose.txt"))
    assert not is_babi(written(tmp_path, b"1 \xff\ta\n", "latin.txt"))
    assert not is_babi(written(tmp_path, "", "empty.txt"))
    assert not is_babi(tmp_path)
    assert babi_split(Path("qa2_two-supporting-facts_train.txt")) == "train"
    assert [babi_split(Path(n)) for n in ("dev.txt", "trainer.txt")] == ["valid", None]


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write_babi(tmp_path / "x.txt", [("A\tB.", "Who?", "me", "")])
    with pytest.raises(ValueError, match="cannot be written"):
        write_babi(tmp_path / "x.txt", [("A.", "Who\nis it?", "me", "")])
