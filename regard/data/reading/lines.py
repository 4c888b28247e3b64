"""Lines of a text file: read in binary, split at line feeds alone, never longer than memory bears.

`str.splitlines` splits at ten characters that belong to a line (U+2028, U+0085, vertical tabs); a
parallel corpus is out of step behind the first of them. In a file that has no line feed at all, as
old Macs wrote them, carriage returns end the lines.
"""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

from regard.data.reading.compression import open_plain
from regard.data.reading.text_encoding import AUTO, encoding_of

MAX_LINE_BYTES = 2**20
"""Bytes of the longest line that is read."""
HEAD = 4096
"""Bytes by which a file is recognized."""
_HEAD = 2**16
"""Bytes in which a line feed is looked for."""


def lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    r"""The lines of a file without their ends (`\n` or `\r\n`) and without a byte order mark.

    Raises `ValueError` naming file and line for bytes that are not text in this encoding, for a
    NUL character, for a line above `MAX_LINE_BYTES` bytes, and for a packed file that is damaged.
    """
    with open_text(path, encoding) as (file, spelled):
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 2):
            number += 1
            if raw.endswith(b"\n"):
                raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
            if len(raw) > MAX_LINE_BYTES:
                raise ValueError(_too_long(path, number, len(raw) + _rest(file)))
            yield _decoded(raw, path, number, spelled)


@runtime_checkable
class Readable(Protocol):
    """What is read line by line."""

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, or its first bytes."""


class Line(NamedTuple):
    """A line of text, or why it cannot be read."""

    number: int
    text: str
    why: str = ""


def every_line(file: "Readable", name: str, encoding: str) -> Iterator[Line]:
    r"""Every line of a text as it comes, those that cannot be read too; each stays in its place.

    Args:
        name: what the text is called where a line of it cannot be read.
        encoding: of lines that end with the byte `\n`.

    >>> [tuple(line) for line in every_line(io.BytesIO(b"a\r\n\nb"), "x", "utf-8")]
    [(1, 'a', ''), (2, '', ''), (3, 'b', '')]
    """
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        raw = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        ended = raw.endswith(b"\n")
        if not ended and len(raw) > MAX_LINE_BYTES:
            yield Line(number, "", _too_long(name, number, len(raw) + _rest(file)))
            continue
        if ended:
            raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
        try:
            yield Line(number, _decoded(raw, Path(name), number, encoding))
        except ValueError as error:
            yield Line(number, "", str(error))


def _too_long(name: str | Path, number: int, size: int) -> str:
    return (
        f"{name} line {number}: {size:,} bytes are more than a line may have "
        f"({MAX_LINE_BYTES:,}); break the line, or leave it out"
    )


def running_text(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    r"""The text of a file in pieces which, joined, are the text: its lines with their `\n`.

    A line longer than `MAX_LINE_BYTES` bytes comes in several pieces; otherwise as `lines`.
    """
    with open_text(path, encoding) as (file, spelled):
        decoder = codecs.getincrementaldecoder(spelled)()
        number = 1
        while raw := file.readline(MAX_LINE_BYTES):
            if raw.endswith(b"\r"):
                raw += file.readline(1)
            ended = raw.endswith(b"\n")
            raw = raw[:-2] + b"\n" if raw.endswith(b"\r\n") else raw
            last = ended or not file.peek(1)
            yield _decoded(raw, path, number, spelled, decoder, last)
            number += ended


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[tuple["io.BufferedReader[_Plain]", str]]:
    """The bytes of a text in lines that end with a line feed, and the encoding that they are in.

    With `auto` it is found by the bytes. It is UTF-8 where a line feed would be more than a byte. A
    byte order mark is left out.

    Raises `ValueError` for a packed file that is damaged.
    """
    encoding = encoding_of(path) if encoding == AUTO else encoding
    with open_plain(path) as packed:
        file = io.BufferedReader(_Plain(packed, path, encoding))
        yield file, "utf-8" if is_wide(encoding) else encoding


def beginning(path: Path, encoding: str) -> str:
    """How a text begins, as far as it is needed to tell what it is."""
    with open_text(path, encoding) as (file, spelled):
        return file.read(HEAD).decode(spelled, errors="replace")


class _Plain(io.RawIOBase):
    """A file whose byte order mark is left out and whose line ends are those of `lines`."""

    def __init__(self, file: BinaryIO, path: Path, encoding: str) -> None:
        self._file, self._path, self._encoding = file, path, encoding
        head = file.read(_HEAD)
        self._decoder = codecs.getincrementaldecoder(encoding)() if is_wide(encoding) else None
        self._waiting = b"" if not head else self._plain(head.removeprefix(codecs.BOM_UTF8))
        self._returns = b"\r" in self._waiting and b"\n" not in self._waiting

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        while not self._waiting:
            more = self._file.read(_HEAD)
            self._waiting = self._plain(more)
            if not more:
                break
        part = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(part) :]
        if self._returns:
            part = part.replace(b"\r", b"\n")
        buffer[: len(part)] = part
        return len(part)

    def _plain(self, raw: bytes) -> bytes:
        if self._decoder is None:
            return raw
        try:
            text = self._decoder.decode(raw, not raw)
        except UnicodeError as error:
            raise ValueError(
                f"{self._path}: its bytes are not {self._encoding.upper()} ({error}); say in which "
                "encoding it is (--encoding on the command line)"
            ) from None
        return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")


def is_wide(encoding: str) -> bool:
    """Whether a line feed is more than one byte."""
    return "\n".encode(encoding) != b"\n"


def _rest(file: "Readable") -> int:
    size = 0
    while raw := file.readline(MAX_LINE_BYTES):
        size += len(raw)
        if raw.endswith(b"\n"):
            break
    return size


def _decoded(
    raw: bytes,
    path: Path,
    number: int,
    encoding: str,
    decoder: codecs.IncrementalDecoder | None = None,
    last: bool = True,
) -> str:
    try:
        text = decoder.decode(raw, last) if decoder else raw.decode(encoding)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"{path} line {number}: byte 0x{byte:02x} at column {error.start + 1} is not "
            f"{encoding.upper()}; mend it, or say in which encoding all of the file is (--encoding "
            "on the command line; the usual ones are found by the bytes where none is said)"
        ) from None
    if "\0" in text:
        raise ValueError(
            f"{path} line {number}: a NUL character at column {text.index(chr(0)) + 1}; this is "
            f"no text, or none in {encoding.upper()} (--encoding on the command line)"
        )
    return text.removeprefix("\ufeff")  # Where files with byte order marks were joined.
