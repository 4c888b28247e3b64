"""Lines of a text file: read in binary, split at line feeds alone, never longer than memory bears.

`str.splitlines` splits at ten characters that belong to a line (U+2028, U+0085, vertical tabs); a
parallel corpus is out of step behind the first of them.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_LINE_BYTES = 2**20
"""Bytes of the longest line that is read."""


def lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    r"""The lines of a file without their ends (`\n` or `\r\n`) and without a byte order mark.

    Raises `ValueError` naming file and line for bytes that are not text in this encoding, for a
    NUL character and for a line above `MAX_LINE_BYTES` bytes.
    """
    with open(path, "rb") as file:
        number = 0
        while raw := _begun(file).readline(MAX_LINE_BYTES + 2):
            number += 1
            if raw.endswith(b"\n"):
                raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
            if len(raw) > MAX_LINE_BYTES:
                size = len(raw) + _rest(file)
                raise ValueError(
                    f"{path} line {number}: {size:,} bytes are more than a line may have "
                    f"({MAX_LINE_BYTES:,}); break the line, or leave it out"
                )
            yield _decoded(raw, path, number, encoding)


def running_text(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    r"""The text of a file in pieces which, joined, are the text: its lines with their `\n`.

    A line longer than `MAX_LINE_BYTES` bytes comes in several pieces; otherwise as `lines`.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with open(path, "rb") as file:
        number = 1
        while raw := _begun(file).readline(MAX_LINE_BYTES):
            if raw.endswith(b"\r"):
                raw += file.readline(1)
            ended = raw.endswith(b"\n")
            raw = raw[:-2] + b"\n" if raw.endswith(b"\r\n") else raw
            last = ended or not file.peek(1)
            yield _decoded(raw, path, number, encoding, decoder, last)
            number += ended


def check_encoding(encoding: str) -> None:
    """Raise `ValueError` for an encoding that is unknown or in which a line feed is not a byte."""
    try:
        plain = "\n".encode(encoding) == b"\n"
    except (LookupError, ValueError):
        raise ValueError(
            f"no encoding is called {encoding!r}; usual ones are utf-8, latin-1"
        ) from None
    if not plain:
        raise ValueError(
            f"files in {encoding} must be converted first: iconv -f {encoding} -t utf-8 FILE"
        )


def _begun(file: BinaryIO) -> BinaryIO:
    """The file, with a byte order mark at its beginning skipped."""
    if file.tell() == 0 and file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    return file


def _rest(file: BinaryIO) -> int:
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
            f"{encoding.upper()}; convert the file (iconv -f latin1 -t utf-8) or say in which "
            "encoding it is, such as latin-1 (--encoding on the command line)"
        ) from None
    if "\0" in text:
        raise ValueError(
            f"{path} line {number}: a NUL character at column {text.index(chr(0)) + 1}; this is "
            "no text file, or it is UTF-16: convert it (iconv -f utf-16 -t utf-8)"
        )
    return text
