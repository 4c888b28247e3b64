"""Batches made ahead by other processes, which never outlive a failure."""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np
from torch import Generator as TorchGenerator
from torch.utils.data import DataLoader, Dataset, Sampler

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
        timeout=timeout,
        generator=TorchGenerator(),  # its own: the global one is the model's
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
    iterator = iter(loader)
    try:
        yield from iterator
    except RuntimeError as error:
        if not any(words in str(error) for words in _LOST):
            raise
        raise RuntimeError(
            f"a process that prepares batches died or gave none for {timeout:g} s ({error}); "
            "resume the run, with fewer workers if memory ran out"
        ) from None
    finally:
        _end(iterator)


def _end(iterator: Any) -> None:
    processes = list(getattr(iterator, "_workers", ()))
    # The loader asks politely, which it otherwise does whenever it happens to be collected.
    getattr(iterator, "_shutdown_workers", lambda: None)()
    for process in processes:
        process.kill()  # a stopped one obeys nothing else


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


def _as_it_is(batch: Any) -> Any:
    return batch
