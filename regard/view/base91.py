"""Bytes as printable text that no HTML parser takes for markup: 13 bits in two of 91 characters.

It takes 23 % more room than the bytes, where base64 takes 33 %. The 91 are all of ASCII that can be
seen but `<`, `>` and `&`.
"""

import numpy as np

ALPHABET = bytes(c for c in range(33, 127) if chr(c) not in "<>&")
_FIRST, _SECOND = (
    np.frombuffer(ALPHABET, np.uint8)[pair]
    for pair in np.divmod(np.arange(8192).clip(max=91 * 91 - 1), 91)
)
_BYTES, _GROUPS = 13, 8


def written(content: bytes) -> str:
    """Text of some bytes; its first character says how many zeros were added at their end.

    >>> len(written(b"")), len(written(bytes(13))), len(written(bytes(14)))
    (1, 17, 33)
    """
    added = -len(content) % _BYTES
    rows = np.frombuffer(content + bytes(added), np.uint8).reshape(-1, _BYTES)
    wide = np.zeros((len(rows), _BYTES + 1), np.uint32)
    wide[:, :_BYTES] = rows
    text = np.empty((len(rows), _GROUPS, 2), np.uint8)
    for group in range(_GROUPS):
        at, bit = divmod(13 * group, 8)
        three = wide[:, at] << 16 | wide[:, at + 1] << 8
        if at + 2 <= _BYTES:
            three |= wide[:, at + 2]
        value = three >> (11 - bit) & 8191
        text[:, group, 0], text[:, group, 1] = _FIRST[value], _SECOND[value]
    return chr(ALPHABET[added]) + text.tobytes().decode("ascii")


def read(text: str) -> bytes:
    """The bytes that were written.

    >>> read(written(b"<script>"))
    b'<script>'
    """
    digits = np.zeros(128, np.uint32)
    digits[np.frombuffer(ALPHABET, np.uint8)] = np.arange(len(ALPHABET))
    codes = digits[np.frombuffer(text.encode("ascii"), np.uint8)]
    pairs = codes[1:].reshape(-1, _GROUPS, 2)
    values = pairs[..., 0] * 91 + pairs[..., 1]
    bits = (values[..., None] >> np.arange(12, -1, -1, dtype=np.uint32)) & 1
    content = np.packbits(bits.astype(np.uint8).reshape(len(pairs), 8 * _BYTES), axis=-1).tobytes()
    return content[: len(content) - int(codes[0])]
