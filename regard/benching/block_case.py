"""A vision block on maps of about so many places."""

from collections.abc import Iterator
from copy import deepcopy
from math import isqrt
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from regard.benching.case import Pass, Run, Work, gradients
from regard.benching.judging import Judged, errors
from regard.benching.mechanism import Mechanism
from regard.benching.sizes import Sizes
from regard.vision import block


def passes(mechanism: Mechanism, sizes: Sizes, length: int, backward: bool) -> Iterator[Pass]:
    """The passes to time of a block, on square maps of at most `length` places.

    Raises `ValueError` for a block that does not fit the sizes.
    """
    case = _Case(mechanism, sizes, length)
    for with_gradients in (False, True) if backward else (False,):
        yield case.timed(with_gradients)


class _Case:
    """A block in evaluation, as first drawn, and one map."""

    def __init__(self, mechanism: Mechanism, sizes: Sizes, length: int) -> None:
        channels, side = sizes.heads * sizes.width, isqrt(length)
        self.dtype, device = sizes.torch_dtype, torch.device(sizes.device)
        self.name = str(mechanism.block)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(length)
            made = block(self.name, channels).eval()
            shape = (2, sizes.batch, channels, side, side)
            self.map, self.upstream = torch.randn(shape).to(device, self.dtype).unbind()
        self.block: Any = made.to(device, self.dtype)

    def timed(self, backward: bool) -> Pass:
        """What is to be known of a pass before it is run."""
        return Pass(
            backward=backward,
            backend="",
            run=self._trained() if backward else self._ran,
            work=self._work(3 if backward else 1),
            judge=lambda: errors(self, backward),
        )

    def rows(self, most_numbers: int, most_rows: int) -> list[slice]:
        """Every batch: what a block says of a place may depend on all others."""
        return [slice(None)]

    def judged(self, rows: list[slice], dtype: torch.dtype | None, gradient: bool) -> Judged:
        """The output and its gradients, in the dtype that is asked for."""
        own = self.block if dtype is None else deepcopy(self.block).to(dtype)
        given = self.map.to(dtype or self.dtype).detach().requires_grad_(gradient)
        with torch.set_grad_enabled(gradient):
            output = own(given)
        if not gradient:
            return Judged(output, ())
        wanted, upstream = [given, *own.parameters()], self.upstream.to(output.dtype)
        return Judged(output.detach(), gradients(output, wanted, upstream))

    def _ran(self) -> object:
        with torch.no_grad():
            return self.block(self.map)

    def _trained(self) -> Run:
        given = self.map.detach().requires_grad_()
        wanted = [given, *self.block.parameters()]
        return lambda: gradients(self.block(given), wanted, self.upstream)

    def _work(self, times: int) -> Work:
        """Products and convolutions as PyTorch counts them; the map read and written once."""
        counter = FlopCounterMode(display=False)
        with counter:
            self._ran()
        weights = sum(weight.nbytes for weight in self.block.parameters())
        return Work(times * counter.get_total_flops(), times * (2 * self.map.nbytes + weights))
