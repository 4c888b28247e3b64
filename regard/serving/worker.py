"""One thread that computes, and who waits for it."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from regard._io.faults import sentence
from regard._printable import printable
from regard.errors import RegardError

LOG = logging.getLogger("regard.serve")
AT_ONCE = 2
"""Questions at once: one that is computed and one that waits."""
FAILED = "the server could not answer this; its log says why"


class Busy(Exception):
    """So many questions are being answered that another one has to come again."""


@dataclass(frozen=True)
class Event:
    """What became of a job: `progress`, and in the end `found` or `problem`.

    Args:
        kind: "progress", "found", "problem" (of the question) or "failure" (of the server).
    """

    kind: str
    value: Any


@dataclass(eq=False)
class Job:
    """A question that is being answered, for who waits in an event loop."""

    loop: asyncio.AbstractEventLoop
    work: Callable[[Callable[[int, int], None]], Any]
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    def tell(self, kind: str, value: Any) -> None:
        """Say something from the thread that computes."""
        self.loop.call_soon_threadsafe(self.events.put_nowait, Event(kind, value))


class Worker:
    """Does one job after the other in a thread of its own, which ends with the program.

    `regard.capture` sees what its own thread does, and hooks are of the network and not of a
    thread: so there is one.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self.count = 0
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="regard.serve", daemon=True).start()

    def submit(self, work: Callable[[Callable[[int, int], None]], Any]) -> Job:
        """Have something done; raises `Busy`. To be called in the event loop."""
        if self.count >= self.at_once:
            raise Busy
        self.count += 1
        job = Job(asyncio.get_running_loop(), work)
        self.jobs.put(job)
        return job

    def _run(self) -> None:
        while True:
            job = self.jobs.get()
            try:
                self._do(job)
            except RuntimeError:
                # The loop was closed meanwhile: the program ends.
                LOG.debug("nobody waits for an answer any more")

    def _do(self, job: Job) -> None:
        def progress(done: int, total: int) -> None:
            job.tell("progress", [done, total])

        try:
            kind, value = "found", job.work(progress)
        except (RegardError, ValueError, TypeError, OSError) as error:
            kind, value = "problem", printable(sentence(error))
            LOG.info("refused: %s", value)
        except Exception:
            kind, value = "failure", FAILED
            LOG.exception("a question was not answered")
        job.loop.call_soon_threadsafe(self._done)
        job.tell(kind, value)

    def _done(self) -> None:
        self.count -= 1
