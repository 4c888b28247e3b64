"""What is asked of whatever reads something from elsewhere: a result, or one sentence, and soon."""

import gc
import time
import unicodedata
from collections.abc import Callable
from typing import Any

LONGEST, SECONDS = 2000, 5.0
"""Characters of a message, and seconds that a call may take on a busy machine."""


def sentence(call: Callable[[], Any], seconds: float = SECONDS) -> str | None:
    """What is said by a call that is refused, None for one that works.

    It must be a `ValueError` or a `FileNotFoundError` (whatever else comes is passed on), short,
    of characters that can be seen, and there in no time.
    """
    begun = time.process_time()
    try:
        call()
        said = None
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
        assert not isinstance(error, UnicodeError), said
    took = time.process_time() - begun
    if took > seconds:
        # Not what others left behind, nor the first call of something.
        gc.collect()
        begun = time.process_time()
        try:
            call()
        except (ValueError, FileNotFoundError):
            pass
        took = time.process_time() - begun
    assert took <= seconds, f"it took {took:.1f} seconds"
    if said is not None:
        require_sentence(said)
    return said


def require_sentence(said: str) -> None:
    """It is short, and can be seen."""
    assert said and len(said) <= LONGEST, f"{len(said)} characters: {said[:300]}"
    hidden = [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not hidden, f"{hidden[:9]} in {said!r}"
