"""Ctrl-C and SIGTERM: the first asks, the second insists."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Asked:
    """Whether a signal has asked to stop.

    >>> Asked().signal is None
    True
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def asked(self) -> int | None:
        """The number of the signal that asked, None while none has."""
        return self.signal

    @property
    def exit_code(self) -> int:
        """What the process should return: 130 after Ctrl-C, 143 after SIGTERM, 0 after neither."""
        return 0 if self.signal is None else 128 + self.signal

    def receive(self, number: int, frame: object) -> None:
        """Note the first signal; leave at once on a second one.

        Raises `KeyboardInterrupt` when that is Ctrl-C, otherwise `SystemExit` with 128 + number.
        """
        if self.signal is None:
            self.signal = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)


@contextmanager
def graceful() -> Iterator[Asked]:
    """Collect SIGINT and SIGTERM while the block runs, so that it can end where it likes.

    In a thread other than the main one signals cannot be received; `asked` then stays None.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, asked.receive) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
