"""How fast is plain softmax attention on a CPU, and how far from what the processor could do?

Our own loops against PyTorch's kernel, side by side, forward and with backward, plain and causal;
beside each the floor: operations over the rate of the tiles, exponentials over the rate of theirs,
bytes over the bandwidth of a copy. One thread by the clock of the process, so that what else runs
on the machine hardly counts, or several by the wall's. Correctness comes before timing.

    python -m benchmarks.softmax [--seconds 2] [--threads 1] [--dry-run]
"""

from collections.abc import Callable, Iterator
from ctypes import c_int64

import torch
import torch.nn.functional as F
from numba import carray, types
from rich.console import Console
from rich.table import Table
from torch import Tensor

import regard
from benchmarks.measure import clock, peak_bytes, save_timings, side_by_side, timing_options
from regard._backends import _plan
from regard._kernels.by_address import by_address
from regard._kernels.tiles import COLUMNS, multiply
from regard._kernels.vectors import LANES, at, exp2, load, store
from regard.masks import Causal

Row = dict[str, object]
SHAPES = (
    *[(1, 8, n, 64) for n in (64, 128, 256, 512, 1024, 2048, 4096)],
    *[(1, 8, n, 32) for n in (128, 512, 2048)],
    *[(1, 8, n, 128) for n in (128, 512, 2048)],
    (1, 1, 512, 64), (16, 12, 128, 64), (1, 8, 113, 63), (1, 8, 1023, 111),
)  # fmt: skip
HALF = ((1, 8, 128, 64), (1, 8, 512, 64), (1, 8, 1024, 128))


def _products(c, a, b, sizes, first, last):
    """So many products of 64 rows, of depth 64, by a panel."""
    for _ in range(first, last):
        multiply(c, COLUMNS, a, 64, 1, 64, b, COLUMNS, 64)


def _exponentials(y, x, sizes, first, last):
    """So many times the exponentials of some numbers."""
    n = carray(sizes, (1,))
    for _ in range(first, last):
        for i in range(0, n[0], LANES):
            store(exp2(load(at(x, i))), at(y, i))


def rates() -> dict[str, float]:
    """What so many cores can do: one by our loops, times their number, and all by PyTorch."""
    a, b, c = torch.randn(64, 64), torch.randn(64, COLUMNS), torch.empty(64, COLUMNS)
    x, y, size = -torch.rand(4096), torch.empty(4096), (c_int64 * 1)(4096)
    number, size_of = types.float32, types.int64
    products = by_address(_products, [number, number, number, size_of], 2)
    exponentials = by_address(_exponentials, [number, number, size_of], 2)
    q, k, scores = torch.randn(256, 64), torch.randn(2048, 64), torch.empty(256, 2048)
    large, copy = torch.randn(1 << 25), torch.empty(1 << 25)
    times, threads = 2000, torch.get_num_threads()
    return {
        "tiles_flops": threads * times * 2 * 64 * 64 * COLUMNS / _best(
            lambda: products(c.data_ptr(), a.data_ptr(), b.data_ptr(), size, 0, times)
        ),
        "matmul_flops": 2 * 256 * 64 * 2048 / _best(lambda: torch.mm(q, k.T, out=scores)),
        "exponentials": threads * times * 4096 / _best(
            lambda: exponentials(y.data_ptr(), x.data_ptr(), size, 0, times)
        ),
        "torch_exponentials": 4096 / _best(lambda: torch.exp(x, out=y)),
        "bytes": 2 * large.nbytes / _best(lambda: copy.copy_(large)),
    }  # fmt: skip


def _best(run: Callable[[], object]) -> float:
    """The least seconds of many runs."""
    found = []
    for _ in range(20):
        start = clock()
        for _ in range(5):
            run()
        found.append((clock() - start) / 5)
    return min(found)


def compared(seconds: float, known: dict[str, float]) -> Iterator[Row]:
    """Every shape, plain and causal, forward and with backward."""
    calls = [(shape, torch.float32) for shape in SHAPES]
    calls += [(shape, dtype) for shape in HALF for dtype in (torch.bfloat16, torch.float16)]
    for shape, dtype in calls:
        for causal in (False, True):
            for passes in ("forward", "forward+backward"):
                yield one(shape, dtype, causal, passes, seconds, known)


def one(
    shape: tuple[int, ...], dtype: torch.dtype, causal: bool, passes: str, seconds: float,
    known: dict[str, float],
) -> Row:  # fmt: skip
    """Both ways of one call, and what the planner makes of it."""
    q, k, v = inputs(shape, dtype, passes != "forward")
    mask = Causal() if causal else None
    ours = lambda: regard.attention(q, k, v, mask=mask, backend="blocked")  # noqa: E731
    theirs = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal)  # noqa: E731
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(ours(), theirs(), rtol=tolerance * 10, atol=tolerance)
    if passes != "forward":
        upstream = torch.randn(shape).to(dtype)
        _agree(ours, theirs, (q, k, v), upstream, tolerance)
        ours, theirs = backward(ours, upstream), backward(theirs, upstream)
    row = side_by_side(ours, theirs, seconds, clock)
    work = floor(shape, causal, passes, known)
    plan = regard.plan(q, k, v, mask=mask)
    times = {name: row[f"{who}_s"] for name, who in (("blocked", "ours"), ("sdpa", "theirs"))}
    return {
        "what": f"{'causal' if causal else 'plain'} {passes}", "dtype": str(dtype)[6:],
        "shape": shape, **row, "floor_s": work, "over_floor": row["ours_s"] / work,
        "chosen": plan.backend, "slowdown": times[plan.backend] / min(times.values()),
    }  # fmt: skip


def inputs(shape: tuple[int, ...], dtype: torch.dtype, grad: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(shape[2])
    drawn = torch.randn((3, *shape), generator=generator).to(dtype)
    return [x.clone().requires_grad_(grad) for x in drawn]


def backward(run: Callable[[], Tensor], upstream: Tensor) -> Callable[[], None]:
    return lambda: run().backward(upstream)


def _agree(ours: Callable, theirs: Callable, leaves: tuple, upstream: Tensor, least: float) -> None:
    pairs = zip(
        *(torch.autograd.grad(run(), leaves, upstream) for run in (ours, theirs)), strict=True
    )
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted, rtol=least * 10, atol=least * 5)


def floor(shape: tuple[int, ...], causal: bool, passes: str, known: dict[str, float]) -> float:
    """Seconds of the products and exponentials one after the other, or of the bytes."""
    batch, heads, length, width = shape
    pairs = batch * heads * length * ((length + 1) / 2 if causal else length)
    both = passes != "forward"
    products = pairs * width * (14 if both else 4) / known["tiles_flops"]
    exponentials = pairs * (2 if both else 1) / known["exponentials"]
    numbers = batch * heads * length * width * (12 if both else 4)
    return max(products + exponentials, 4 * numbers / known["bytes"])


def work(length: int, backend: str) -> Callable[[], None]:
    """Forward and backward of one call, for the measurement of memory."""
    leaves = inputs((1, 8, length, 64), torch.float32, True)
    few = inputs((1, 1, 8, 64), torch.float32, True)
    regard.attention(*few, backend=backend).sum().backward()  # loads the loops, and Numba
    return lambda: regard.attention(*leaves, backend=backend).sum().backward()


def memory() -> Iterator[Row]:
    """Bytes held at the peak, the inputs not counted."""
    for length in (1024, 4096):
        held = {name: peak_bytes(work, length, name) for name in ("blocked", "sdpa")}
        yield {
            "what": "peak bytes, forward+backward", "shape": (1, 8, length, 64),
            **{f"{name}_bytes": size for name, size in held.items()},
        }  # fmt: skip


def show(known: dict[str, float], rows: list[Row]) -> None:
    """Print the rates, and the rows as a table."""
    console = Console(width=140)
    console.print({name: f"{rate / 1e9:.2f} G/s" for name, rate in known.items()})
    table = Table("what", "dtype", "shape", "ours", "SDPA", "ratio", "over floor", "chosen")
    for row in rows:
        shape = "×".join(map(str, row["shape"]))  # type: ignore[arg-type]
        if "blocked_bytes" in row:
            sizes = [f"{row[f'{name}_bytes'] / 1e6:.0f} MB" for name in ("blocked", "sdpa")]  # type: ignore[operator]
            table.add_row(str(row["what"]), "float32", shape, *sizes)
            continue
        times = [f"{row[f'{who}_s'] * 1e3:.3f} ms" for who in ("ours", "theirs")]  # type: ignore[operator]
        ratios = [f"{row[name]:.2f}×" for name in ("ratio", "over_floor")]
        table.add_row(
            str(row["what"]), str(row["dtype"]), shape, *times, *ratios, str(row["chosen"])
        )
    console.print(table)


def main() -> None:
    """Measure, show and keep."""
    options = timing_options(__doc__, 2.0)
    assert "blocked" in _plan.BACKENDS
    known = rates()
    rows = [*compared(options.seconds, known), *memory()]
    show(known, rows)
    save_timings(options, "softmax", rows, rates=known)


if __name__ == "__main__":
    main()
