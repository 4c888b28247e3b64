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
        self._times = 0
        self._over = threading.Event()

    @property
    def exit_code(self) -> int:
        """What the process should return: 130 after Ctrl-C, 143 after SIGTERM, 0 after neither."""
        return 0 if self.number is None else 128 + self.number

    def receive(self, number: int, frame: object) -> None:
        """Note the first signal; leave at once on a second one.

        Raises `KeyboardInterrupt` when that is Ctrl-C, otherwise `SystemExit` with 128 + number.
        """
        self._times += 1
        if self.number is None:
            self.number = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)

    def again(self, number: int) -> None:
        """Send this process a signal once more, from another thread and a moment later."""
        threading.Thread(
            target=self._until_received, args=(number, self._times), daemon=True
        ).start()

    def end(self) -> None:
        """Send no signal any more."""
        self._over.set()

    def _until_received(self, number: int, times: int) -> None:
        # A signal that comes between Python's last look and a long wait does not end that wait:
        # only another one, which comes within it, does.
        pause = 0.005
        while not self._over.wait(pause) and self._times == times:
            os.kill(os.getpid(), number)
            pause = 0.1


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
            request.again(signal.SIGINT)
        elif isinstance(event.exc_value, SystemExit):
            request.again(signal.SIGTERM)
        else:
            report(event)

    sys.unraisablehook = swallowed
    try:
        yield request
    finally:
        request.end()
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
