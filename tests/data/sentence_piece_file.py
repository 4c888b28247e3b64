"""A sentencepiece model file, written field by field as sentencepiece itself does."""

import struct
from collections.abc import Iterable, Mapping

NORMAL, UNKNOWN, CONTROL, OWN, UNUSED, BYTE = range(1, 7)
UNIGRAM, PAIRS = 1, 2

Piece = tuple[str, float, int]


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def field(number: int, value: int | bytes | float) -> bytes:
    """One field: whole numbers, fractions and bytes have forms of their own."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def piece(text: str, score: float, kind: int) -> bytes:
    return field(1, field(1, text.encode()) + field(2, score) + field(3, kind))


def model_file(
    pieces: Iterable[Piece],
    algorithm: int = UNIGRAM,
    replaced: Mapping[str, str] | None = None,
    bytewise: bool = False,
    strips: bool = True,
    prefix: bool = True,
) -> bytes:
    """A whole file.

    Args:
        replaced: what the normalizer puts in the place of what.
    """
    table = field(2, charsmap(replaced)) if replaced else b""
    return (
        b"".join(piece(*each) for each in pieces)
        + field(2, field(3, algorithm) + field(35, int(bytewise)) + field(43, -1))
        + field(3, field(1, b"nmt") + table + field(3, int(prefix)) + field(4, int(strips)))
    )


def charsmap(replaced: Mapping[str, str]) -> bytes:
    """A compiled table of characters: a double array of tries, and the texts it leads to.

    Each node has a block of 256 units of its own, at whose place for a byte its child stands.
    """
    texts, at = b"", {}
    for new in dict.fromkeys(replaced.values()):
        at[new] = len(texts)
        texts += new.encode() + b"\0"
    keys = {old.encode(): at[new] for old, new in replaced.items()}
    nodes = sorted({key[:end] for key in keys for end in range(len(key) + 1)}, key=len)
    block = {node: 256 * (place + 1) for place, node in enumerate(nodes)}
    units = [0] * 256 * (len(nodes) + 1)
    place = {b"": 0}
    for node in nodes:
        if node:
            place[node] = block[node[:-1]] ^ node[-1]
        label = node[-1] if node else 0
        leaf = node in keys
        units[place[node]] = (place[node] ^ block[node]) << 10 | leaf << 8 | label
        if leaf:
            units[block[node]] = keys[node] | 1 << 31
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + texts
