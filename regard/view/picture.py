"""A picture of many weights, as small as PNG makes it: one spot each, the denser the larger."""

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

import numpy as np

_PALETTE = bytes(3 * 256)
_OPACITY = bytes(range(256))


def mask(rows: Sequence[Sequence[float]]) -> str:
    """A `data:` URL of black spots that are as opaque as these numbers between 0 and 1.

    The color is whatever shines through it, so that one picture serves a light and a dark page.

    >>> mask([[0.0, 1.0]])[:22]
    'data:image/png;base64,'
    """
    lines = np.pad(np.rint(255 * np.array(rows)).astype(np.uint8), ((0, 0), (1, 0))).tobytes()
    size = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", size),
        (b"PLTE", _PALETTE),
        (b"tRNS", _OPACITY),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)
    return "data:image/png;base64," + b64encode(whole).decode()


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
