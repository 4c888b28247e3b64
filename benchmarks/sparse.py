"""Does attention cost what its mask and its few weights leave of it, forward and backward?

Questions, each a ratio taken side by side: sparsemax, entmax, hard and top-k attention against the
`entmax` package on materialized scores, or against what `chunked` takes for them; a window under
softmax against SDPA with a dense mask, with backward; every other normalizer and bias in a window,
in documents or causal against the same without looking at the mask, and how it grows with the
length. The floor of a row is its products at the measured rate of a product.

    python -m benchmarks.sparse [--seconds 2] [--threads 1] [--products | --alphas] [--dry-run]
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import entmax
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

import regard
from benchmarks.measure import (
    clock,
    median_seconds,
    peak_bytes,
    save_timings,
    side_by_side,
    timing_options,
)
from benchmarks.operator import agree, backward, inputs
from regard._backends import _few_keys, chunked
from regard._backends._tuning import matmul_rate
from regard.masks import Causal, Document, SlidingWindow
from regard.normalizers import Entmax, TopK, hard, sigmoid, softmax, sparsemax
from regard.score_mods import ALiBi
from regard.scores import Additive

Row = dict[str, Any]
Run = Callable[[], Any]
HEADS, WIDTH = 8, 64
FEW = {
    "sparsemax": (sparsemax, entmax.sparsemax), "entmax 1.5": (Entmax(1.5), entmax.entmax15),
    "entmax 1.2": (Entmax(1.2), None), "hard": (hard, None), "top 8": (TopK(8), None),
    "top 64": (TopK(64), None), "top 512": (TopK(512), None),
}  # fmt: skip


def compared(name: str, ours: Run, theirs: Run, grad: bool, seconds: float, floor: float) -> Row:
    """One row: both agree, and then both are timed by the process's own clock."""
    agree(ours, theirs)
    if grad:
        ours, theirs = backward(ours), backward(theirs)
    row = side_by_side(ours, theirs, seconds, clock)
    return {"what": f"{name}{', backward' if grad else ''}", **row, "floor_s": floor}


def few_keys(seconds: float, rate: float) -> list[Row]:
    """Normalizers with few weights on 8 heads of 2048; the floor is the product of the scores."""
    rows, length = [], 2048
    floor = 2 * HEADS * length * length * WIDTH / rate
    for name, (normalizer, peer) in FEW.items():
        for grad in (False, True):
            q, k, v = inputs(1, HEADS, length, WIDTH, grad=grad)
            ours = lambda n=normalizer, q=q, k=k, v=v: regard.attention(q, k, v, normalizer=n)  # noqa: E731
            if peer is None:
                theirs = lambda n=normalizer, q=q, k=k, v=v: regard.attention(  # noqa: E731
                    q, k, v, normalizer=n, backend="chunked"
                )
            else:
                theirs = lambda p=peer, q=q, k=k, v=v: p(q @ k.mT / 8, dim=-1) @ v  # noqa: E731
            against = "chunked" if peer is None else "entmax"
            rows.append(compared(f"{name} / {against}", ours, theirs, grad, seconds, floor))
    return rows


def window(seconds: float, rate: float) -> list[Row]:
    """Softmax in a window of 128 to either side against SDPA with a dense mask."""
    rows, mask = [], SlidingWindow(128, 128)
    for length in (2048, 8192):
        for grad in (False, True):
            q, k, v = inputs(1, HEADS, length, WIDTH, grad=grad)
            position = torch.arange(length)
            dense = (position[:, None] - position).abs() <= 128
            ours = lambda q=q, k=k, v=v: regard.attention(q, k, v, mask=mask)  # noqa: E731
            theirs = lambda q=q, k=k, v=v, m=dense: F.scaled_dot_product_attention(q, k, v, m)  # noqa: E731
            floor = (14 if grad else 4) * HEADS * length * 257 * WIDTH / rate
            rows.append(compared(f"window of {length}", ours, theirs, grad, seconds, floor))
    return rows


def cases(length: int) -> dict[str, dict[str, Any]]:
    """Calls that only chunks serve, of which a mask leaves little."""
    near = SlidingWindow(128, 128)
    documents = Document(torch.arange(length) // 100)
    return {
        "sigmoid, documents of 100": {"mask": documents, "normalizer": sigmoid},
        "additive, window": {"mask": near, "score": Additive()},
        "sigmoid, causal": {"mask": Causal(), "normalizer": sigmoid},
        "ALiBi, window": {"mask": near, "score_mod": ALiBi(HEADS), "normalizer": softmax},
    }


def narrow(seconds: float) -> list[Row]:
    """Chunks that read what they may see against chunks that read all keys."""
    rows = []
    for name, parts in cases(1024).items():
        heads = 1 if "additive" in name else HEADS
        parts = {**parts, "score_mod": ALiBi(heads)} if "score_mod" in parts else parts
        for grad in (False, True):
            q, k, v = inputs(1, heads, 1024, WIDTH, grad=grad)
            ours = lambda q=q, k=k, v=v, p=parts: regard.attention(  # noqa: E731
                q, k, v, **p, backend="chunked"
            )
            rows.append(compared(name, ours, _wide(ours), grad, seconds, 0.0))
    for length in (4096, 8192, 16384):
        q, k, v = inputs(1, HEADS, length, WIDTH, grad=True)
        run = backward(lambda q=q, k=k, v=v: regard.attention(
            q, k, v, mask=SlidingWindow(128, 128), normalizer=sigmoid))  # fmt: skip
        taken = median_seconds(run, 3, clock)
        rows.append({"what": f"sigmoid, window of {length}, backward", "ours_s": taken})
    return rows


def _wide(run: Run) -> Run:
    def all_keys() -> Tensor:
        kept, chunked.may_narrow = chunked.may_narrow, lambda call: False
        try:
            return run()
        finally:
            chunked.may_narrow = kept

    return all_keys


def work(length: int) -> Run:
    """One call with its backward pass, for the memory it takes."""
    q, k, v = inputs(1, HEADS, length, WIDTH, grad=True)
    return backward(lambda: regard.attention(q, k, v, normalizer=sparsemax))


def memory() -> list[Row]:
    """Bytes held at the peak by sparsemax; all scores would be 134 and 537 MB."""
    return [
        {"what": f"sparsemax of {length}, backward, peak", "bytes": peak_bytes(work, length)}
        for length in (2048, 4096)
    ]


def products(seconds: float) -> list[Row]:
    """Our own tiles against PyTorch's product, in whole calls."""
    rows = []
    for name in ("sparsemax", "hard", "top 64"):
        for width in (32, 64, 128):
            q, k, v = inputs(1, HEADS, 2048, width)
            run = lambda q=q, k=k, v=v, n=FEW[name][0]: regard.attention(  # noqa: E731
                q, k, v, normalizer=n, backend="sparse"
            )
            ours, theirs = _by_tiles(run, True), _by_tiles(run, False)
            what = f"{name}, width {width}, tiles / PyTorch's product"
            rows.append(compared(what, ours, theirs, False, seconds, 0.0))
    return rows


def _by_tiles(run: Run, are_faster: bool) -> Run:
    def chosen() -> Tensor:
        _few_keys.has_faster_tiles = lambda dtype: are_faster
        return run()

    return chosen


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    table = Table("what", "ours", "theirs", "ratio", "floor")
    for row in rows:
        if "bytes" in row:
            table.add_row(row["what"], f"{row['bytes'] / 1e6:.0f} MB")
            continue
        each = (f"{row[n] * 1e3:.1f} ms" if row.get(n) else "-" for n in ("ours_s", "theirs_s"))
        floor = f"{row['floor_s'] * 1e3:.1f} ms" if row.get("floor_s") else "-"
        table.add_row(row["what"], *each, f"{row['ratio']:.1f}×" if "ratio" in row else "-", floor)
    Console().print(table)


def alphas(seconds: float) -> list[Row]:
    """Entmax of other alphas against bisection, and against what `chunked` takes for it."""
    rows = []
    for heads, length in ((HEADS, 512), (2, 1024)):
        for alpha in (1.1, 1.3, 1.5, 1.7):
            for grad in (False, True):
                q, k, v = inputs(1, heads, length, WIDTH, grad=grad)
                run = lambda backend, q=q, k=k, v=v, a=alpha: regard.attention(  # noqa: E731
                    q, k, v, normalizer=Entmax(a), backend=backend
                )
                bisected = lambda q=q, k=k, v=v, a=alpha: (  # noqa: E731
                    entmax.entmax_bisect(q @ k.mT / 8, a, dim=-1) @ v
                )
                others = {"entmax_bisect": bisected, "chunked": partial(run, "chunked")}
                for other, theirs in others.items():
                    what = f"entmax {alpha}, {heads} heads of {length} / {other}"
                    ours = partial(run, "sparse")
                    rows.append(compared(what, ours, theirs, grad, seconds, 0.0))
    return rows


def main() -> None:
    """Answer all questions and keep the answers."""
    only = {"products": "only our tiles or PyTorch's", "alphas": "only entmax of several alphas"}
    options = timing_options(__doc__, 2.0, **only)
    if options.alphas:
        show(rows := alphas(options.seconds))
        save_timings(options, "sparse_alphas", rows, entmax=entmax.__version__)
        return
    if options.products:
        show(rows := products(options.seconds))
        save_timings(options, "sparse_products", rows)
        return
    rate = matmul_rate(torch.float32)
    rows = few_keys(options.seconds, rate) + window(options.seconds, rate)
    rows += narrow(options.seconds) + memory()
    show(rows)
    save_timings(options, "sparse", rows, entmax=entmax.__version__, product_flops=rate)


if __name__ == "__main__":
    main()
