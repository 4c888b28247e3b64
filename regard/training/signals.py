"""Ctrl-C and SIGTERM: the first requests a stop, the second forces it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Whether a signal has requested a stop; `number` is that signal's, None while none has.

    >>> StopRequest().number is None
    True
    """

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def exit_code(self) -> int:
        """What the process should return: 130 after Ctrl-C, 143 after SIGTERM, 0 after neither."""
        return 0 if self.number is None else 128 + self.number

    def receive(self, number: int, frame: object) -> None:
        """Note the first signal; leave at once on a second one.

        Raises `KeyboardInterrupt` when that is Ctrl-C, otherwise `SystemExit` with 128 + number.
        """
        if self.number is None:
            self.number = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)


@contextmanager
def graceful() -> Iterator[StopRequest]:
    """Collect SIGINT and SIGTERM while the block runs, so that it can end at a point of its choice.

    Threads other than the main one cannot receive signals; `number` then stays None.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
