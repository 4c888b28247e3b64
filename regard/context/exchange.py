"""Keys and values from rank to rank, and their gradients back, while something is computed.

In step t a rank sends to the rank t behind it what that one needs, and hears from the rank t ahead:
every rank sends and receives once in a step, whatever the mask, and nothing passes through a third.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from regard._backends._structure import Reach
from regard.context.layout import Layout, Piece

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Exchange:
    """Who needs which keys of whom, and the group that they are sent through."""

    layout: Layout
    reach: Reach
    group: dist.ProcessGroup | None

    def peers(self, step: int) -> tuple[int, int]:
        """Who is sent to in a step, and who is heard from."""
        rank, world = self.layout.rank, self.layout.world
        return (rank + step) % world, (rank - step) % world

    def received(self, key: Tensor, value: Tensor) -> Iterator[tuple[int, list[Piece], Pair]]:
        """For each step its number, the pieces that are needed, and their keys and values.

        The next ones are on their way while the last are used.
        """
        own, widths = self.needed_of(self.layout.rank), (key.shape[-1], value.shape[-1])
        coming = self._post(1, key, value)
        yield 0, own, (_cut(key, own), _cut(value, own))
        for step in range(1, self.layout.world):
            sending, coming = coming, self._post(step + 1, key, value)
            keys, values = sending.arrived().split(widths, -1)
            yield step, self.needed_of(self.peers(step)[1]), (keys, values)

    def needed_of(self, owner: int) -> list[Piece]:
        """The keys of an owner that this rank needs."""
        return self.layout.needed(self.layout.rank, owner, self.reach)

    def needed_by(self, reader: int) -> list[Piece]:
        """The keys of this rank that a reader needs."""
        return self.layout.needed(reader, self.layout.rank, self.reach)

    def _post(self, step: int, key: Tensor, value: Tensor) -> "Sending":
        """Begin to send what the one needs, and to receive what the other has."""
        if step >= self.layout.world:
            return Sending(key, key, [])
        to, source = self.peers(step)
        theirs = self.needed_by(to)
        sent = torch.cat([_cut(key, theirs), _cut(value, theirs)], -1)
        return self.swap(to, sent, source, _count(self.needed_of(source)))

    def swap(self, to: int, sent: Tensor, source: int, count: int) -> "Sending":
        """Begin to send keys to the one and to receive `count` of them from the other."""
        buffer = sent.new_empty(*sent.shape[:2], count, sent.shape[3])
        ops = []
        if sent.numel():
            ops.append(dist.P2POp(dist.isend, sent, group=self.group, group_peer=to))
        if buffer.numel():
            ops.append(dist.P2POp(dist.irecv, buffer, group=self.group, group_peer=source))
        return Sending(sent, buffer, dist.batch_isend_irecv(ops) if ops else [])


@dataclass(frozen=True)
class Sending:
    """What is on its way: out of the one tensor, into the other."""

    sent: Tensor
    buffer: Tensor
    works: list[dist.Work]

    def arrived(self) -> Tensor:
        """What was received, once it is here."""
        for work in self.works:
            work.wait()
        return self.buffer


class Return:
    """Gradients on their way back to the ranks that keys and values came from.

    Args:
        key: where those of this rank's own keys are summed, and `value` those of its values.
    """

    def __init__(self, ring: Exchange, key: Tensor, value: Tensor) -> None:
        self.ring, self.key, self.value = ring, key, value
        self.pending: tuple[Sending, list[Piece]] | None = None

    def give(self, step: int, pieces: list[Piece], key: Tensor, value: Tensor) -> None:
        """Send the gradients of a step's pieces, and add up those of the step before."""
        if step == 0:
            self._add(pieces, key, value)
            return
        self.finish()
        to, source = self.ring.peers(step)
        theirs = self.ring.needed_by(to)
        sent = torch.cat([key, value], -1)
        self.pending = self.ring.swap(source, sent, to, _count(theirs)), theirs

    def finish(self) -> None:
        """Add up what is still on its way."""
        if self.pending is not None:
            sending, pieces = self.pending
            key, value = sending.arrived().split((self.key.shape[-1], self.value.shape[-1]), -1)
            self._add(pieces, key, value)
            self.pending = None

    def _add(self, pieces: list[Piece], *grown: Tensor) -> None:
        done = 0
        for piece in pieces:
            for total, one in zip((self.key, self.value), grown, strict=True):
                some = one.narrow(2, done, piece.length)
                total.narrow(2, piece.start, piece.length).add_(some)
            done += piece.length


def _cut(tensor: Tensor, pieces: Sequence[Piece]) -> Tensor:
    parts = [tensor.narrow(2, piece.start, piece.length) for piece in pieces]
    return torch.cat(parts, 2) if parts else tensor.narrow(2, 0, 0)


def _count(pieces: Sequence[Piece]) -> int:
    return sum(piece.length for piece in pieces)
