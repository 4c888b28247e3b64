"""In which encoding the text of a file is: by its first bytes, else by all that are not ASCII."""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.alphabets import spelled_in
from regard.data.reading.compression import open_plain

AUTO = "auto"
"""What is said of an encoding that is to be found out."""

USUAL = (
    *("cp1252", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "cp1251", "cp1250"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "tis_620"),
)
"""Encodings other than Unicode's that files are in, where two are as likely the earlier one."""
FURTHER = ("cp949", "iso8859_2", "cp866", "cp850", "mac_roman")
"""Those that are looked at where none of the usual ones reads as text: of DOS, of old Macs."""
_CLEAN = 0.05
"""What mess a text in its own encoding has at most."""
_IN_WORDS = re.compile(r"[^\W\d_][±¶¦¬][^\W\d_]")
"""Signs that stand within words where ISO 8859-2 is read as Windows has it."""

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPES = re.compile(rb"\x1b\$[@B][!-~]+\x1b\([BJ]")
"""How JIS begins and ends Japanese among ASCII."""
_CHUNK = 2**20
_SAMPLE = 2**16
"""Bytes by which an encoding is recognized."""
_NAMED = 4
"""Files that are named one by one."""
_NUL_SHARE = 0.7
"""Share of every second byte that is NUL in UTF-16: in each ASCII letter, and in each space."""
_ASCII_PAIR = re.compile(
    "[" + "".join(f"\\u{n:02x}20-\\u{n:02x}7e" for n in range(0x20, 0x7F) if n != 0x30) + "]"
)
"""Characters of two bytes that are ASCII each, but for those that begin as 0 does: kana."""
_EAST_ASIAN = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]+")
_TELLING = 8
"""Characters without a space from which on they are no chance."""


def check_encoding(encoding: str) -> None:
    """Raise `ValueError` for an encoding that is unknown."""
    if encoding == AUTO:
        return
    try:
        "\n".encode(encoding).decode(encoding)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"no encoding is called {encoding!r}; usual ones are utf-8, cp1252, gb18030"
        ) from None


def encoding_of(path: Path) -> str:
    r"""The encoding of a file of text, `utf-8` for one that is in none that is known.

    All of it is read, once while it does not change.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "menu.txt")
    ...     _ = path.write_bytes("Café – naïve façade\n".encode("cp1252") * 9)
    ...     encoding_of(path)
    'cp1252'
    """
    found = _looked_at(path)
    return found if isinstance(found, str) else _likeliest(found)


def encodings_of(paths: Iterable[Path]) -> dict[Path, str]:
    """The encodings of files that belong together, such as texts of one label each.

    Those that are neither Unicode's nor marked are in one, by what is in all of them: a short text
    alone tells too little.
    """
    found = {path: _looked_at(path) for path in paths}
    samples = [sample for sample in found.values() if isinstance(sample, bytes)]
    if not samples:
        return {path: str(name) for path, name in found.items()}
    share = max(1000, _SAMPLE // len(samples))
    common = _likeliest(b"\n".join(sample[:share] for sample in samples)[:_SAMPLE])
    return {path: name if isinstance(name, str) else common for path, name in found.items()}


def encoding_notes(found: Mapping[Path, str], said: str) -> tuple[str, ...]:
    """What is to be said of encodings that were found: of each but UTF-8, which files are in it.

    Args:
        said: the encoding that the caller asked for, of which no word is needed.

    >>> encoding_notes({Path("b.txt"): "utf-16", Path("a.txt"): "utf-8"}, AUTO)
    ('b.txt is read as utf-16, found by its bytes; say another with --encoding',)
    """
    notes = []
    for encoding in dict.fromkeys(found.values()):
        if encoding in ("utf-8", said):
            continue
        names = [path.name for path, name in found.items() if name == encoding]
        if len(names) == 1:
            which = f"{names[0]} is read as {encoding}, found by its bytes"
        elif len(names) <= _NAMED:
            which = f"{', '.join(names)} are read as {encoding}, found by their bytes"
        else:
            which = f"{len(names):,} files are read as {encoding}, found by their bytes"
        notes.append(f"{which}; say another with --encoding")
    return tuple(notes)


def _looked_at(path: Path) -> str | bytes:
    """The encoding of a file, or what is in it that tells of one that is not Unicode's."""
    stat = path.stat()
    return _found(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(64)
def _found(path: Path, size: int, changed: int) -> str | bytes:
    with open_plain(path) as file:
        head = file.read(_SAMPLE)
    marked = next((name for mark, name in BOMS if head.startswith(mark)), None)
    if marked:
        return marked
    wide = _wide(head)
    if wide:
        return wide
    if _ESCAPES.search(head):
        return "iso2022_jp"
    sample = _not_utf8(path)
    return "utf-8" if sample is None else sample


def _wide(head: bytes) -> str | None:
    """UTF-32 and UTF-16 without a mark, by NUL bytes at every second place or by what it spells.

    ASCII letters are NULs by half. Of other scripts only spaces and line ends are, and a line of
    Chinese may have none: that is UTF-16 if it is no UTF-8, no pairs of ASCII, and all of it reads.
    """
    if len(head) >= _TELLING and not len(head) % 4:
        for name, first, last in (("utf-32-be", 0, 1), ("utf-32-le", 3, 2)):
            if not any(head[first::4]) and head[last::4].count(0) >= _NUL_SHARE * len(head) / 4:
                return name
    places = {"utf-16-be": head[0::2].count(0), "utf-16-le": head[1::2].count(0)}
    least, most = sorted(places.values())
    if len(head) < 4 or least > most / 2:
        return None
    likely = [name for name, zeros in places.items() if zeros == most]
    if most >= _NUL_SHARE * (len(head) // 2):
        return likely[0]
    if len(head) % 2 or (not most and _is_utf8(head)):
        return None
    return next((name for name in likely if _reads(head, name, spaced=most > 0)), None)


def _reads(head: bytes, encoding: str, spaced: bool) -> bool:
    """Whether bytes spell text, as any two bytes are some character of UTF-16.

    Two ASCII letters are a Chinese one, and two bytes of an older encoding of Chinese a Korean one:
    where no space or line end tells which it is, only Chinese and Japanese are believed.
    """
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)  # a pair may be cut
    if len(_ASCII_PAIR.findall(text)) > len(text) / 2:
        return False
    if spaced:
        return all(one.isprintable() or one.isspace() for one in text)
    return len(text) >= _TELLING and _EAST_ASIAN.fullmatch(text) is not None


def _is_japanese(sample: bytes) -> bool:
    """Whether bytes are Shift-JIS with the letters that Windows added to it."""
    try:
        text = b"\n".join(sample.split(b"\n")[:-1] or [sample]).decode("cp932")
    except UnicodeDecodeError:
        return False
    return len(re.findall("[\u3040-\u30fa]", text)) * 5 > len(text)


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        b"\n".join(sample.split(b"\n")[:-1] or [sample]).decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8(path: Path) -> bytes | None:
    """Lines of a file that are not UTF-8, None if all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_plain(path) as file:
        start = True
        while chunk := file.read(_CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                rest = chunk + file.readline(_CHUNK)
                break
            start = False
        else:
            return _ended(decoder)
    telling = [line for line in _whole_lines(rest, start) if not line.isascii()]
    if any(map(_is_utf8, telling)):
        return None  # Damaged UTF-8: what is not is refused where it stands.
    return b"\n".join(telling)[:_SAMPLE]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ended(decoder: codecs.IncrementalDecoder) -> bytes | None:
    try:
        decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        return bytes(error.object[error.start :])
    return None


def _whole_lines(chunk: bytes, start: bool) -> Iterator[bytes]:
    # The first may have begun before, within a character of two bytes.
    lines = chunk.replace(b"\r", b"\n").split(b"\n")
    return iter(lines if start or len(lines) < 3 else lines[1:])


@lru_cache(64)
def _likeliest(sample: bytes) -> str:
    return spelled_in(sample, _counted(sample))


def _counted(sample: bytes) -> str:
    """What bytes are in by how often letters and pairs of them are."""
    if _is_japanese(sample):
        # Nothing else has so many kana, whatever other letters they may be.
        return "shift_jis" if _decodes(sample, "shift_jis") else "cp932"
    ranked = _ranked(sample, USUAL)
    if not ranked or ranked[0].chaos > _CLEAN:
        ranked = [m for m in _ranked(sample, FURTHER) if m.chaos <= _CLEAN] or ranked
    if not ranked:
        return "utf-8"
    if ranked[0].encoding in FURTHER:
        return str(ranked[0].encoding)
    # Bytes that mean the same in several encodings are in the most usual one.
    same = {ranked[0].encoding, *ranked[0].could_be_from_charset}
    name = next(name for name in USUAL if name in same)
    if name == "cp1250" and _IN_WORDS.search(sample.decode(name, "replace")):
        return "iso8859_2"
    return name


def _ranked(sample: bytes, encodings: Sequence[str]) -> list[Any]:
    """What bytes may be in, the likeliest first."""
    found = extra("charset_normalizer").from_bytes(sample, cp_isolation=list(encodings))
    return sorted(found, key=lambda m: (m.chaos, -m.coherence, encodings.index(m.encoding)))
