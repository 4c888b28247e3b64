"""Batches made ahead by other processes, which never outlive a failure."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np
from torch import Generator as TorchGenerator
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data._utils import signal_handling

Order = tuple[int, np.ndarray]
_LOST = ("exited unexpectedly", "killed by signal", "timed out")


def fetched(
    part: Callable[[int], Any], orders: Iterable[Order], workers: int, timeout: float
) -> Generator[Any, None, None]:
    """`part(epoch).batch(rows)` for each order, in order, made by `workers` processes (0: here).

    Raises `RuntimeError` when a worker dies or is silent for `timeout` seconds.
    """
    batches = _Batches(part)
    if not workers:
        for order in orders:
            yield batches[order]
        return
    loader: DataLoader[Any] = DataLoader(
        batches,
        batch_size=None,
        sampler=_Orders(orders),
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_leave_signals_to_the_parent,
        timeout=timeout,
        generator=TorchGenerator(),  # its own: the global one is the model's
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
    iterator: Any = iter(loader)
    # The loader would raise wherever the main thread happens to be when a worker dies. Without
    # that alarm it says so when the next batch is asked for, after the timeout.
    signal_handling._remove_worker_pids(id(iterator))  # type: ignore[attr-defined]
    iterator._worker_pids_set = False
    watch = _Watch(list(getattr(iterator, "_workers", ())), timeout + 1)
    failed = True
    try:
        while True:
            with watch:
                batch = next(iterator)
            yield batch
    except GeneratorExit:
        failed = False
        raise
    except (RuntimeError, EOFError, OSError) as error:
        if not _is_loss(error):
            raise
        raise RuntimeError(
            f"a process that prepares batches died or gave none for {timeout:g} s ({error}); "
            "resume the run, with fewer workers if memory ran out"
        ) from None
    finally:
        watch.end()
        _end(iterator, failed)


def _is_loss(error: Exception) -> bool:
    """Whether a worker is gone, rather than said itself what is wrong."""
    if "Caught " in str(error):
        return False
    return not isinstance(error, RuntimeError) or any(words in str(error) for words in _LOST)


class _Watch(threading.Thread):
    """Kills workers that keep their parent waiting where the loader's own timeout does not reach.

    A tensor comes as a message and a handle, and for the handle the loader waits without limit.
    """

    def __init__(self, processes: list[Any], limit: float) -> None:
        super().__init__(daemon=True)
        self._processes, self._limit = processes, limit
        self._since, self._over = 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(min(1.0, self._limit / 4)):
            if self._since and time.monotonic() - self._since > self._limit:
                for process in self._processes:
                    process.kill()
                return

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._since = 0.0

    def end(self) -> None:
        """Stop watching."""
        self._over.set()


def _end(iterator: Any, failed: bool) -> None:
    """End the workers: kindly, or when one failed, by the only means that a stopped one obeys."""
    processes = list(getattr(iterator, "_workers", ()))
    if failed:
        for process in processes:
            process.kill()
    # The loader does this whenever it happens to be collected; orphans should not wait for it.
    getattr(iterator, "_shutdown_workers", lambda: None)()


class _Batches(Dataset[Any]):
    """Orders to batches, keeping the part of the epoch that was asked for last."""

    def __init__(self, part: Callable[[int], Any]) -> None:
        self._part, self._epoch = part, -1
        self._kept: Any = None

    def __getitem__(self, order: Order) -> Any:
        epoch, rows = order
        if self._kept is None or epoch != self._epoch:
            self._epoch, self._kept = epoch, self._part(epoch)
        return self._kept.batch(rows)


class _Orders(Sampler[Order]):
    """An endless list of orders."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._orders = orders

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders)


def _leave_signals_to_the_parent(worker: int) -> None:
    """Ctrl-C and torchrun's SIGTERM reach the whole group; the parent has a step to finish."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _as_it_is(batch: Any) -> Any:
    return batch
