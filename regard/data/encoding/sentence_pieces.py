"""The pieces of a sentencepiece model file, read from Protocol Buffers' wire format.

    file ── fields ──> pieces (text, score, kind), and what trainer and normalizer were told

References:
    Kudo, Richardson. SentencePiece: A simple and language independent subword tokenizer and
    detokenizer for Neural Text Processing. 2018. https://arxiv.org/abs/1808.06226
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from regard._io.files import read_file
from regard._printable import shown
from regard.data.encoding.vocabulary import MAX_TOKENS

NORMAL, UNKNOWN, CONTROL, OWN, UNUSED, BYTE = range(1, 7)
"""Kinds of pieces: text, what is unknown, never text, never cut, never written, one byte."""
UNIGRAM, PAIRS = 1, 2
ALGORITHMS = {UNIGRAM: "unigram", PAIRS: "BPE", 3: "words", 4: "characters"}
LONGEST_PIECE = 256
"""Characters of a piece: sentencepiece learns 16, and merges take the square."""

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _KIND = 1, 2, 3
_ALGORITHM, _SUFFIX, _FALLBACK = 3, 24, 35
_CHARSMAP, _PREFIX, _SPACES, _ESCAPED = 2, 3, 4, 5

Field = tuple[int, int | bytes]
"""The number of a field, and its value: a whole number, or the bytes of anything else."""


@dataclass(frozen=True)
class SentencePieces:
    """The tokens of a sentencepiece model, in order, and how texts are prepared for them.

    Args:
        algorithm: `UNIGRAM` or `PAIRS`.
        charsmap: the normalizer's compiled table of characters; empty if nothing is replaced.
        prefix: whether a space is put in front of each text.
        strips: whether spaces at the ends are removed and several made one.
        bytewise: whether unknown characters become the pieces of their bytes.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    algorithm: int
    charsmap: bytes
    prefix: bool
    strips: bool
    bytewise: bool

    @property
    def unknown(self) -> int:
        """The number of the piece of what is unknown."""
        return self.kinds.index(UNKNOWN)


def read_sentence_pieces(path: Path) -> SentencePieces:
    """Read a file such as `spiece.model`.

    Raises `ValueError` naming the file for one that is cut off, no such model, or of words.
    """
    content = read_file(path)
    try:
        return sentence_pieces(content)
    except ValueError as error:
        raise ValueError(f"{path} is not a sentencepiece model: {error}") from None


def sentence_pieces(content: bytes) -> SentencePieces:
    r"""The pieces in the bytes of a file; raises `ValueError` for what is none.

    >>> piece = b"\n\x0b" + b"\n\x02hi" + b"\x15\x00\x00\x00\xbf" + b"\x18\x02"
    >>> found = sentence_pieces(piece)
    >>> found.pieces, found.scores, found.kinds, found.algorithm == UNIGRAM
    (('hi',), (-0.5,), (2,), True)
    """
    found: list[tuple[str, float, int]] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(content):
        if number == _PIECES:
            found.append(_piece(_inner(value), len(found)))
        elif number == _TRAINER:
            trainer |= dict(_fields(_inner(value)))
        elif number == _NORMALIZER:
            normalizer |= dict(_fields(_inner(value)))
    require_pieces(found)
    algorithm = _whole(trainer, _ALGORITHM, UNIGRAM)
    if algorithm not in (UNIGRAM, PAIRS):
        kind = ALGORITHMS.get(algorithm, str(algorithm))
        raise ValueError(f"its pieces are {kind}; unigram and BPE are read")
    if _whole(trainer, _SUFFIX, 0) or not _whole(normalizer, _ESCAPED, 1):
        raise ValueError("its pieces do not mark a word by ▁ in front, which alone is read")
    pieces, scores, kinds = zip(*found, strict=True)
    return SentencePieces(
        pieces=pieces,
        scores=scores,
        kinds=kinds,
        algorithm=algorithm,
        charsmap=_inner(normalizer.get(_CHARSMAP, b"")),
        prefix=bool(_whole(normalizer, _PREFIX, 1)),
        strips=bool(_whole(normalizer, _SPACES, 1)),
        bytewise=bool(_whole(trainer, _FALLBACK, 0)),
    )


def _piece(content: bytes, place: int) -> tuple[str, float, int]:
    fields = dict(_fields(content))
    try:
        text = _inner(fields.get(_TEXT, b"")).decode()
    except UnicodeDecodeError:
        raise ValueError(f"piece {place:,} is not UTF-8") from None
    four = _inner(fields.get(_SCORE, bytes(4)))
    if len(four) != 4:
        raise ValueError(f"piece {place:,}, {shown(text)}, has a score of {len(four)} bytes, not 4")
    (score,) = struct.unpack("<f", four)
    return text, score, _whole(fields, _KIND, NORMAL)


def require_pieces(found: Sequence[tuple[str, float, int]]) -> None:
    """Raise `ValueError` unless each piece, with score and kind, may be one, and all are some."""
    if not found:
        raise ValueError("it has no pieces")
    if len(found) > MAX_TOKENS:
        raise ValueError(f"it has {len(found):,} pieces, {MAX_TOKENS:,} are allowed")
    numbers: dict[str, int] = {}
    for number, (text, score, kind) in enumerate(found):
        if not text:
            raise ValueError(f"piece {number:,} is empty")
        if not math.isfinite(score):
            raise ValueError(f"piece {number:,}, {shown(text)}, has the score {score}")
        if len(text) > LONGEST_PIECE:
            raise ValueError(
                f"piece {number:,} has {len(text):,} characters, {LONGEST_PIECE} at most"
            )
        if not NORMAL <= kind <= BYTE:
            raise ValueError(
                f"piece {number:,}, {shown(text)}, has the type {kind}, and there are 1 to 6"
            )
        if numbers.setdefault(text, number) != number:
            raise ValueError(f"pieces {numbers[text]:,} and {number:,} are both {shown(text)}")
    unknown = [text for text, _, kind in found if kind == UNKNOWN]
    if len(unknown) != 1:
        raise ValueError(f"it has {len(unknown)} pieces for unknown text, and needs exactly one")


def _fields(content: bytes) -> Iterator[Field]:
    """The fields of a message, in order."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, form = key >> 3, key & 7
        if form == _VARINT:
            whole, at = _varint(content, at)
            yield number, whole
            continue
        if form == _BYTES:
            length, at = _varint(content, at)
        elif form in (_FOUR, _EIGHT):
            length = 4 if form == _FOUR else 8
        else:
            raise ValueError(f"a field has the wire type {form}, which is not read")
        if length > len(content) - at:
            raise ValueError(f"a field of {length:,} bytes has {len(content) - at:,} left")
        yield number, content[at : at + length]
        at += length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A whole number in as many bytes as it takes, seven bits each, and where the next begins."""
    if at < len(content) and content[at] < 128:
        return content[at], at + 1
    found = shift = 0
    while shift < 70:
        if at >= len(content):
            raise ValueError("it ends within a number")
        byte = content[at]
        found |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return found, at
    raise ValueError("a number has more than ten bytes")


def _inner(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a field of bytes holds a number")
    return value


def _whole(fields: dict[int, int | bytes], number: int, usual: int) -> int:
    value = fields.get(number, usual)
    if not isinstance(value, int):
        raise ValueError("a field of a number holds bytes")
    return value
