"""Connections that do not wait for a slow client for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from regard.serving.gate import Limits


def impatient(limits: Limits) -> type[H11Protocol]:
    """HTTP/1.1 that closes where the head of a request, or the reading of an answer, takes long.

    The time of a body is the gate's.
    """

    class Impatient(H11Protocol):
        _clock: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._start(limits.header_seconds, self._end_without_request)

        def _end_without_request(self) -> None:
            if self.cycle is None:
                self.transport.abort()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._start(limits.send_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._start(limits.send_seconds, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _start(self, seconds: float, then: Any) -> None:
            self._stop()
            self._clock = self.loop.call_later(seconds, then)

        def _stop(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    return Impatient
