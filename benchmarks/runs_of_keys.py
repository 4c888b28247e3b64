"""How fast are masks that permit each query one run of keys: windows, documents and padding?

Our own loops against the backends that served these before, and against SDPA with the mask written
out, forward and with backward, in one thread by the clock of the process. Correctness comes first.

    python -m benchmarks.runs_of_keys [--seconds 1] [--threads 1] [--dry-run]
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import regard
from benchmarks.measure import clock, save_timings, side_by_side, timing_options
from regard.masks import Causal, Document, Padding, Prefix, SlidingWindow

Row = dict[str, object]
MOST = 8192
"""Keys up to which a mask is written out for SDPA."""


def cases() -> Iterator[tuple[tuple[int, ...], Any, tuple[str, ...]]]:
    """Shape, mask, and who else serves it."""
    torch.manual_seed(0)
    for length in (512, 2048, 8192, 65536):
        others = ("banded", "sdpa") if length <= MOST else ("banded",)
        yield (1, 8, length, 64), SlidingWindow(128, 128), others
    lengths = torch.randint(20, 201, (36,))
    ids = torch.arange(36).repeat_interleave(lengths)[:4096]
    ids = torch.nn.functional.pad(ids, (0, 4096 - len(ids)), value=36)
    yield (1, 12, 4096, 64), Document(ids), ("packed", "sdpa")
    yield (1, 12, 4096, 64), Causal() & Document(ids), ("packed",)
    real = torch.arange(128) < torch.randint(32, 97, (32, 1))
    yield (32, 12, 128, 64), Padding(keep=real), ("sdpa",)
    yield (1, 8, 2048, 64), Causal() | Prefix(500), ("sdpa", "chunked")


def compared(seconds: float) -> Iterator[Row]:
    """Every case against every other, forward and with backward."""
    for shape, mask, others in cases():
        inputs = [torch.randn(shape) for _ in range(3)]
        leaves = [x.clone().requires_grad_() for x in inputs]
        upstream = torch.randn(shape)
        chosen = regard.plan(*inputs, mask=mask).backend
        for other in others:
            for passes, given in (("forward", inputs), ("forward+backward", leaves)):
                ours, theirs = (_run(given, mask, name, upstream) for name in ("blocked", other))
                _agree(given, mask, other, upstream)
                row = side_by_side(ours, theirs, seconds, clock)
                yield {
                    "what": f"{mask} {passes}", "shape": shape, "other": other, **row,
                    "chosen": chosen,
                }  # fmt: skip


def _run(given: list[Tensor], mask: Any, name: str, upstream: Tensor) -> Callable[[], object]:
    if given[0].requires_grad:
        return lambda: regard.attention(*given, mask=mask, backend=name).backward(upstream)
    return lambda: regard.attention(*given, mask=mask, backend=name)


def _agree(given: list[Tensor], mask: Any, other: str, upstream: Tensor) -> None:
    """Stop unless both compute the same, gradients included."""
    found = []
    for name in ("blocked", other):
        output = regard.attention(*given, mask=mask, backend=name)
        asked = [x for x in given if x.requires_grad]
        found.append([output, *(torch.autograd.grad(output, asked, upstream) if asked else ())])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


def main() -> None:
    """Measure, show and keep."""
    options = timing_options(__doc__, 1.0)
    rows = []
    for row in compared(options.seconds):
        rows.append(row)
        times = f"{row['ours_s'] * 1e3:.2f} ms, {row['other']} {row['theirs_s'] * 1e3:.2f} ms"  # type: ignore[operator]
        print(f"{row['what']} {row['shape']}: {times}, {row['ratio']:.2f}×", flush=True)
    save_timings(options, "runs_of_keys", rows)


if __name__ == "__main__":
    main()
