"""Do our own loops keep their speed inside of a graph that `torch.compile` records?

Plain and causal softmax, and a window, as operations of a graph against PyTorch's kernel in one,
at lengths on both sides of the one from which the planner takes them; few weights in a graph
against the same call outside. One thread, by the clock of the process; correctness comes first.

    python -m benchmarks.graphs [--seconds 2] [--threads 1] [--dry-run]
"""

from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import regard
from benchmarks.measure import clock, save_timings, side_by_side, timing_options
from benchmarks.operator import agree, backward, inputs
from regard.masks import Causal, SlidingWindow
from regard.normalizers import Entmax, TopK, hard, sparsemax

Row = dict[str, Any]
HEADS, WIDTH = 8, 64
LENGTHS = (8, 32, 128, 512, 2048)
MASKS = {"softmax": None, "causal": Causal(), "window of 128": SlidingWindow(128, 128)}
FEW = {"sparsemax": sparsemax, "entmax 1.5": Entmax(1.5), "hard": hard, "top 64": TopK(64)}


def graph(**parts: Any) -> Callable[..., Tensor]:
    """Record a call for every length."""
    return torch.compile(
        lambda q, k, v: regard.attention(q, k, v, **parts), fullgraph=True, dynamic=True
    )


def compared(name: str, length: int, ours: Callable, theirs: Callable, seconds: float) -> list[Row]:
    """Compare both at a length, forward and with backward."""
    rows = []
    for grad in (False, True):
        torch._dynamo.reset()
        given = inputs(1, HEADS, length, WIDTH, grad=grad)
        one, other = (lambda x=given: ours(*x)), (lambda x=given: theirs(*x))
        agree(one, other)
        if grad:
            one, other = backward(one), backward(other)
        row = side_by_side(one, other, seconds, clock)
        rows.append({"what": f"{name}, {length}{', backward' if grad else ''}", **row})
    return rows


def main() -> None:
    """Measure, show and keep."""
    options = timing_options(__doc__, 2.0)
    rows = []
    for name, mask in MASKS.items():
        for length in LENGTHS:
            ours, theirs = (graph(mask=mask, backend=backend) for backend in ("blocked", "sdpa"))
            rows += compared(f"{name} / sdpa", length, ours, theirs, options.seconds)
    for name, normalizer in FEW.items():
        outside = lambda q, k, v, n=normalizer: regard.attention(q, k, v, normalizer=n)  # noqa: E731
        inside = graph(normalizer=normalizer)
        rows += compared(f"{name} / outside", 2048, inside, outside, options.seconds)
    table = Table("what", "ours", "theirs", "ratio")
    for row in rows:
        each = (f"{row[n] * 1e6:.0f} µs" for n in ("ours_s", "theirs_s"))
        table.add_row(row["what"], *each, f"{row['ratio']:.2f}×")
    Console().print(table)
    save_timings(options, "graphs", rows)


if __name__ == "__main__":
    main()
