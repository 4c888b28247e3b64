"""What is asked of whatever reads something from elsewhere: a result, or one sentence, and soon."""

import signal
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 2000
"""Characters of a message."""
FOREVER = 10
"""Seconds of a processor, of which no call here takes one; the square of a million characters, or
a loop over a number that a file only claims, takes longer on any machine."""


class Endless(BaseException):
    """A call that does not end."""


@contextmanager
def soon() -> Iterator[None]:
    """End what takes for ever, and fail."""

    def late(number: int, frame: object) -> None:
        raise Endless(f"it took {FOREVER} seconds")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, FOREVER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def sentence(call: Callable[[], Any]) -> str | None:
    """What is said by a call that is refused, None for one that works.

    It must be a `ValueError` or a `FileNotFoundError` (whatever else comes is passed on), short,
    of characters that can be seen, and there before long.
    """
    with soon():
        try:
            call()
        except (ValueError, FileNotFoundError) as error:
            said = str(error)
            assert not isinstance(error, UnicodeError), said
        else:
            return None
    require_sentence(said)
    return said


def require_sentence(said: str) -> None:
    """It is short, and can be seen."""
    assert said and len(said) <= LONGEST, f"{len(said)} characters: {said[:300]}"
    hidden = [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not hidden, f"{hidden[:9]} in {said!r}"
