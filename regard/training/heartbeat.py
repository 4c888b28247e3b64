"""How the other processes know that the main one they wait for is alive."""

import threading
import time
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from regard._torch_private import store_of_all_ranks


class Heartbeat:
    """Lets the other processes wait for a message of rank 0 as long as its heart beats.

    Work done by only one process, such as reading data or waiting for a disk, may exceed the
    others' timeout. So a thread of it increments a counter in the shared store: it stops when the
    process dies, or when it is stopped.

    Args:
        beats: whether this is rank 0.
        timeout_s: how long the others wait for the next beat.
    """

    def __init__(self, beats: bool, timeout_s: float) -> None:
        # A connection of its own: one that waits is not shared.
        self.store = store_of_all_ranks().clone()
        self.group = dist.new_group(backend="gloo", timeout=timedelta(seconds=timeout_s))
        self.beats, self.timeout_s, self.messages = beats, timeout_s, 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        if beats:
            self._thread = threading.Thread(
                target=self._beat, args=(self.store.clone(),), name="regard.heartbeat", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop beating, and wait until the thread has ended.

        Python ends a thread that runs at exit as soon as it leaves a call of C++, such as the
        store's, and that aborts the process.
        """
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(self.timeout_s)

    def ready(self) -> None:
        """On rank 0, announce its next message; on the others, wait for that.

        Raises `RuntimeError` when the beats end first.
        """
        self.messages += 1
        message = f"message/{self.messages}"
        try:
            if self.beats:
                self.store.set(message, "")
                return
            count, since = -1, time.monotonic()
            while not self.store.check([message]):
                now = self.store.add("beats", 0)
                if now != count:
                    count, since = now, time.monotonic()
                elif time.monotonic() - since > self.timeout_s:
                    break
                time.sleep(0.005)
            else:
                return
        except RuntimeError:
            return  # Who keeps the store has left: whether it sent its message, the exchange shows.
        raise RuntimeError(f"Timed out: rank 0 gave no sign for {self.timeout_s:g} s")

    def _beat(self, store: Any) -> None:
        try:
            while not self._stopped.wait(min(1.0, self.timeout_s / 10)):
                store.add("beats", 1)
        except RuntimeError:
            return  # The store is gone: everyone has left.
