"""Small valid inputs, changed a little again and again: each is read, or refused in one sentence.

`FUZZ_SECONDS` is the time of each fuzzer, and the changes are new ones, drawn from `FUZZ_SEED` or
from the clock. Without it they are few, and the same in every run.
"""

import os
import random
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.hostile.laws import sentence

FEW = 30
"""Changes without `FUZZ_SECONDS`."""
MEMORY = 1_000_000
"""Kilobytes that a fuzzer may add to what the process had."""
PIECES = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[2J", b"\r", b"\n"),
    *(b"\r\n", b"\t", b",", b";", b"|", b'"', b"'", b"\\", b'""', b"[", b"]", b"{", b"}"),
    *(b"(", b")", b"=", b":", b"#", b"-", b"1e999", b"NaN", b"null", b"true", b"-1", b"0"),
    *(b"\\ud800", b"\\u0000", b" ", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"9" * 50),
    *(b"a" * 3000, b"[" * 200, b"\x85", b"\x1a"),
)  # fmt: skip


def seconds() -> float:
    """The time that each fuzzer has beyond its first changes."""
    return float(os.environ.get("FUZZ_SECONDS", 0.0))


def generator(name: str) -> random.Random:
    """What draws the changes of a fuzzer."""
    explores = "FUZZ_SECONDS" in os.environ
    seed = os.environ.get("FUZZ_SEED", str(time.time_ns()) if explores else "0")
    return random.Random(f"{name} {seed}")


def changed(content: bytes, rng: random.Random, pieces: Sequence[bytes] = PIECES) -> bytes:
    """The same with one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(CHANGES)(content, rng, pieces)
    return content


def fuzz(
    name: str,
    contents: Sequence[bytes],
    read: Callable[[bytes], Any],
    pieces: Sequence[bytes] = PIECES,
    note: Callable[[bytes], Any] = lambda content: None,
) -> None:
    """Read contents that are changed a few times, and on until the time is over.

    Args:
        note: is given each content before it is read, in case that ends the process.
    """
    rng = generator(name)
    for content in contents:
        assert sentence(lambda: read(content)) is None, f"the seed {content!r} cannot be read"  # noqa: B023
    before, count, end = _peak(), 0, time.monotonic() + seconds()
    while count < FEW or time.monotonic() < end:
        content = changed(rng.choice(contents), rng, pieces)
        note(content)
        try:
            sentence(lambda: read(content))  # noqa: B023
            assert _peak() - before < MEMORY, "it takes a gigabyte"
        except BaseException as error:
            error.add_note(f"{name}, number {count}: {content!r}")
            raise
        count += 1


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _flip(content: bytes, rng: random.Random, _: Any) -> bytes:
    if not content:
        return content
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _truncate(content: bytes, rng: random.Random, _: Any) -> bytes:
    start, stop = _span(content, rng)
    return rng.choice((content[:start], content[start:], content[:start] + content[stop:]))


def _double(content: bytes, rng: random.Random, _: Any) -> bytes:
    start, stop = _span(content, rng)
    return content[:stop] + content[start:stop] * rng.choice((1, 1, 2, 9)) + content[stop:]


def _insert(content: bytes, rng: random.Random, pieces: Sequence[bytes]) -> bytes:
    place = rng.randint(0, len(content))
    return content[:place] + rng.choice(pieces) + content[place:]


def _replace(content: bytes, rng: random.Random, pieces: Sequence[bytes]) -> bytes:
    start, stop = _span(content, rng)
    return content[:start] + rng.choice(pieces) + content[min(stop, start + 20) :]


def _swap(content: bytes, rng: random.Random, _: Any) -> bytes:
    lines = content.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _move(content: bytes, rng: random.Random, _: Any) -> bytes:
    start, stop = _span(content, rng)
    rest = content[:start] + content[stop:]
    place = rng.randint(0, len(rest))
    return rest[:place] + content[start:stop] + rest[place:]


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(content))
    return start, min(len(content), start + rng.choice((1, 2, 8, 64, 10_000)))


CHANGES = (_flip, _truncate, _double, _insert, _insert, _replace, _swap, _move)
