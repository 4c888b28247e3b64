"""Ctrl-C and SIGTERM: the first requests a stop, the second forces it."""

import os
import signal
import sys
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


def _again(number: int) -> None:
    """Send this process a signal once more, from another thread and a moment later."""
    later = threading.Timer(0.005, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()


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
    report = sys.unraisablehook

    def swallowed(event: "sys.UnraisableHookArgs") -> None:
        # A signal that comes while a destructor runs raises there, where Python drops what is
        # raised and prints a traceback: nobody would leave.
        if isinstance(event.exc_value, KeyboardInterrupt):
            _again(signal.SIGINT)
        elif isinstance(event.exc_value, SystemExit):
            _again(signal.SIGTERM)
        else:
            report(event)

    sys.unraisablehook = swallowed
    try:
        yield request
    finally:
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
