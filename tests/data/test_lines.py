"""Lines end at line feeds and nowhere else, and what is no text is named with its place."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.reading import lines as lines_module
from regard.data.reading.lines import lines, running_text
from regard.data.reading.text_encoding import check_encoding

INSIDE = "a\u2028b\x85c\x0bd\x0ce\x1cf\u2029g\rh"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(f"{INSIDE}\n{INSIDE}".encode())
    assert list(lines(file)) == [INSIDE, INSIDE]


def test_a_byte_order_mark_and_carriage_returns_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo\r\n")
    assert list(lines(file)) == ["one", "", "two"]
    assert "".join(running_text(file)) == "one\n\ntwo\n"


@given(texts)
def test_running_text_is_the_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("text") / "text"
    file.write_bytes(text.encode())
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\n" not in text:
        plain = plain.replace("\r", "\n")
    assert "".join(running_text(file)) == plain
    assert "\n".join(lines(file)) == "".join(running_text(file)).removesuffix("\n")


def test_a_running_text_of_one_long_line_comes_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 5)
    file = tmp_path / "text"
    for text in ("äöüßäöüß", "日本語日本語\n日本", "abcd\r\nabcdefgh\r\n", "ab\ncd\r"):
        file.write_bytes(text.encode())
        pieces = list(running_text(file))
        assert "".join(pieces) == text.replace("\r\n", "\n")
        assert all(len(piece.encode()) <= 8 for piece in pieces)


@pytest.mark.parametrize("reader", [lines, running_text])
def test_a_byte_that_is_no_text_is_named_with_line_and_column(tmp_path: Path, reader) -> None:
    file = tmp_path / "bad.de"
    file.write_bytes("gut\nschön\n".encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"bad.de line 2: byte 0xf6 at column 4 is not UTF-8; mend it"
    ):
        list(reader(file))
    assert list(lines(file, "latin-1")) == ["gut", "schön"]


@pytest.mark.parametrize("reader", [lines, running_text])
def test_a_letter_cut_off_at_the_end_is_named(tmp_path: Path, reader) -> None:
    file = tmp_path / "bad"
    file.write_bytes(b"fine\ncut \xc3")
    with pytest.raises(ValueError, match="line 2: byte 0xc3 at column 5"):
        list(reader(file))


@pytest.mark.parametrize("reader", [lines, running_text])
def test_a_nul_character_is_named(tmp_path: Path, reader) -> None:
    file = tmp_path / "wide"
    file.write_bytes(b"a\nb\0c\n")
    with pytest.raises(
        ValueError, match="wide line 2: a NUL character at column 2; this is no text"
    ):
        list(reader(file))


def test_a_line_of_20_megabytes_is_named_and_never_held(tmp_path: Path) -> None:
    file = tmp_path / "long"
    with open(file, "wb") as out:
        out.write(b"short\n")
        for _ in range(20):
            out.write(b"x" * 10**6)
        out.write(b"\nshort\n")
    tracemalloc.start()
    with pytest.raises(ValueError, match="long line 2: 20,000,00[01] bytes are more"):
        list(lines(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 2**20


def test_a_line_of_the_longest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"x" * lines_module.MAX_LINE_BYTES + b"\r\ny")
    assert [len(line) for line in lines(file)] == [lines_module.MAX_LINE_BYTES, 1]


def test_an_encoding_that_does_not_exist_is_refused() -> None:
    check_encoding("utf-16")
    with pytest.raises(ValueError, match="no encoding is called 'klingon'"):
        check_encoding("klingon")
