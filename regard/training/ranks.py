"""The processes that train together, and the small messages they exchange.

Nothing waits forever: a rank that died or hangs makes the others raise within the timeout.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from regard.errors import RegardError, UsageError
from regard.training.heartbeat import Heartbeat
from regard.training.orphans import CHILD, die_with_parent

_SIGNS = ("gloo", "Connection closed", "Connection reset", "Timed out", "Broken pipe", "NCCL")


class LostRank(RegardError, RuntimeError):
    """Another process of this training run has died or does not respond."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; a single one needs no process group.

    >>> alone = Ranks()
    >>> alone.sum(torch.tensor([1.0, 2.0])), alone.gather("hello"), alone.is_main
    (tensor([1., 2.]), ['hello'], True)
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    device: torch.device = torch.device("cpu")
    timeout_s: float = 60.0
    heartbeat: Heartbeat | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes to the screen and to the disk."""
        return self.rank == 0

    @contextmanager
    def raising_lost_rank(self) -> Iterator[None]:
        """Raise `LostRank`, in one sentence, if the block failed because another rank is lost.

        Other errors pass through.
        """
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, LostRank) or not _is_about_ranks(error):
                raise
            raise LostRank(
                f"rank {self.rank} of {self.world} lost another rank: it died, or gave no sign for "
                f"{self.timeout_s:g} s; start again to go on from the newest checkpoint"
            ) from error

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all ranks; the given one is unchanged."""
        total = tensor.detach().to(self.device, copy=True)
        if self.world > 1:
            with self.raising_lost_rank():
                dist.all_reduce(total)
        return total

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.sum(torch.zeros(1))

    def broadcast(self, text: str = "") -> str:
        """The text of rank 0, which may be late, since it does single-process work.

        Raises `LostRank` on the others when it has died or hangs, after the timeout.
        """
        if self.heartbeat is None:
            return text
        content = torch.frombuffer(bytearray(text.encode() or b"\0"), dtype=torch.uint8)
        length = torch.tensor([len(text.encode())])
        with self.raising_lost_rank():
            self.heartbeat.ready()
            dist.broadcast(length, 0, group=self.heartbeat.group)
            if not self.is_main:
                content = torch.zeros(max(1, int(length)), dtype=torch.uint8)
            dist.broadcast(content, 0, group=self.heartbeat.group)
        return content[: int(length)].numpy().tobytes().decode()

    def gather(self, text: str) -> list[str]:
        """The texts of all ranks, on every rank, in rank order."""
        content = text.encode("utf-8", "surrogatepass")
        lengths = torch.zeros(self.world, dtype=torch.int64)
        lengths[self.rank] = len(content)
        ends = self.sum(lengths).cpu()
        padded = torch.zeros(self.world, int(ends.max()), dtype=torch.uint8)
        if content:
            own = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            padded[self.rank, : len(content)] = own
        # Every row is zero but on one rank, so that their sum is all of the texts.
        rows = self.sum(padded).cpu()
        return [
            row[:end].numpy().tobytes().decode("utf-8", "surrogatepass")
            for row, end in zip(rows, ends.tolist(), strict=True)
        ]

    def require_same(self, text: str, what: str = "configuration") -> None:
        """Make sure that a text, such as a digest of the configuration, is the same everywhere.

        Raises `ValueError` on every rank, naming those that differ from rank 0.
        """
        texts = self.gather(text)
        differ = [str(rank) for rank, other in enumerate(texts) if other != texts[0]]
        if differ:
            which = "rank" if len(differ) == 1 else "ranks"
            raise ValueError(
                f"the {what} of {which} {', '.join(differ)} differs from that of rank 0; "
                "give every process the same arguments, files and version of regard"
            )


@contextmanager
def joined(timeout_s: float = 60.0, device: str | None = None) -> Iterator[Ranks]:
    """Join the other processes if torchrun started this one, otherwise run alone.

    This one leaves them when the block ends, also by an error.

    Args:
        timeout_s: how long to wait for another rank, here and in every exchange.
        device: `cpu` or `cuda`; by default a GPU if there is one.

    Raises `UsageError` when the environment is not torchrun's, `LostRank` when the others do not
    join.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    rank, world, local = _environment()
    where = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if CHILD in os.environ:
        die_with_parent()
    ranks = Ranks(rank, world, local, where, timeout_s)
    heartbeat = None
    if kind == "cuda":
        torch.cuda.set_device(where)
    try:
        if world > 1:
            backend = "nccl" if kind == "cuda" else "gloo"
            with ranks.raising_lost_rank():
                dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
                ranks.barrier()
                heartbeat = Heartbeat(beats=ranks.is_main, timeout_s=timeout_s)
        yield replace(ranks, heartbeat=heartbeat)
    finally:
        if heartbeat is not None:
            heartbeat.stop()
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()


def _environment() -> tuple[int, int, int]:
    """RANK, WORLD_SIZE and LOCAL_RANK as torchrun sets them."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    given = [os.environ.get(name) for name in names]
    if given[0] is None or given[1] is None:
        return 0, 1, 0
    try:
        rank, world, local = (int(text or 0) for text in given)
    except ValueError:
        rank, world, local = -1, 0, 0
    if not 0 <= rank < world or local < 0:
        shown = ", ".join(f"{n}={text}" for n, text in zip(names, given, strict=True))
        raise UsageError(
            f"{shown} is not what torchrun sets; unset them, or let regard start the processes "
            "(--devices N)"
        )
    return rank, world, local


def _is_about_ranks(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(sign in str(error) for sign in _SIGNS)
