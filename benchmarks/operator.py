"""Is the operator as fast as the kernel below it, and faster where it leaves work out?

Questions, each answered by a ratio taken side by side: what one call costs over PyTorch's own
SDPA, with a mask part and compiled too; what a window saves against SDPA with a dense mask; what
sparse weights cost against the `entmax` package on materialized scores; what a few rows of weights
cost against all of them; what chunks save in memory. Correctness comes before timing.

    python -m benchmarks.operator [--seconds 4]
"""

import argparse
from collections.abc import Callable

import entmax
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

import regard
from benchmarks.measure import median_seconds, peak_bytes, save, side_by_side
from regard.masks import Causal, Padding, SlidingWindow
from regard.normalizers import Entmax, sparsemax
from regard.scores import Additive, Bilinear

Row = dict[str, object]
SHAPES = ((1, 2, 8, 16), (1, 8, 128, 64), (4, 8, 512, 64), (1, 8, 2048, 64), (1, 8, 4096, 64))
PEERS = (("sparsemax", sparsemax, entmax.sparsemax), ("entmax 1.5", Entmax(1.5), entmax.entmax15))


def inputs(batch: int, heads: int, length: int, width: int, grad: bool = False) -> list[Tensor]:
    """Query, key and value from a normal distribution."""
    generator = torch.Generator().manual_seed(length)
    shape = (batch, heads, length, width)
    return [torch.randn(shape, generator=generator).requires_grad_(grad) for _ in range(3)]


def agree(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> None:
    """Stop unless both compute the same."""
    torch.testing.assert_close(ours(), theirs(), rtol=1e-4, atol=1e-5)


def backward(run: Callable[[], Tensor]) -> Callable[[], None]:
    """Forward and backward of one call."""
    return lambda: run().sum().backward()


def plain(seconds: float) -> list[Row]:
    """Softmax attention through the operator against SDPA called directly."""
    rows: list[Row] = []
    for shape in SHAPES:
        for passes in ("forward", "forward+backward"):
            q, k, v = inputs(*shape, grad=passes != "forward")
            ours = lambda q=q, k=k, v=v: regard.attention(q, k, v)  # noqa: E731
            theirs = lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v)  # noqa: E731
            agree(ours, theirs)
            if passes != "forward":
                ours, theirs = backward(ours), backward(theirs)
            row = side_by_side(ours, theirs, seconds)
            added = (row["ours_s"] - row["theirs_s"]) * 1e6
            rows.append({"what": f"plain {passes}", "shape": shape, **row, "added_us": added})
    return rows


def small(seconds: float) -> list[Row]:
    """What a small call costs over SDPA with the same mask ready made, eager and compiled."""
    length, rows = 8, []
    position = torch.arange(length)
    causal = position[:, None] >= position
    near = causal & (position[:, None] - position <= 3)
    real = (position < 6)[None, None, None]
    masks = {
        "causal": (Causal(), {"is_causal": True}),
        "window": (SlidingWindow(3), {"attn_mask": near}),
        "padding": (Padding(torch.tensor([6])), {"attn_mask": real}),
    }
    for name, (mask, options) in masks.items():
        for passes in ("forward", "forward+backward"):
            q, k, v = inputs(1, 2, length, 16, grad=passes != "forward")
            ours = lambda q=q, k=k, v=v, m=mask: regard.attention(q, k, v, mask=m)  # noqa: E731
            theirs = lambda q=q, k=k, v=v, o=options: F.scaled_dot_product_attention(q, k, v, **o)  # noqa: E731
            agree(ours, theirs)
            if passes != "forward":
                ours, theirs = backward(ours), backward(theirs)
            row = side_by_side(ours, theirs, seconds)
            added = (row["ours_s"] - row["theirs_s"]) * 1e6
            shape = (1, 2, length, 16)
            rows.append({"what": f"{name} {passes}", "shape": shape, **row, "added_us": added})
    rows.append(_weighted(seconds))
    for calls in (1, 12):
        rows.append(_compiled(calls, seconds))
    return rows


def _weighted(seconds: float) -> Row:
    """A score with weights, so that the call is checked and its backend asked every time."""
    q, k, v = inputs(1, 2, 8, 16)
    score = Bilinear(16, 16)
    ours = lambda: regard.attention(q, k, v, score=score)  # noqa: E731
    theirs = lambda: F.scaled_dot_product_attention(score.project(q), k, v, scale=1.0)  # noqa: E731
    agree(ours, theirs)
    row = side_by_side(ours, theirs, seconds)
    added = (row["ours_s"] - row["theirs_s"]) * 1e6
    return {"what": "bilinear forward", "shape": (1, 2, 8, 16), **row, "added_us": added}


def _compiled(calls: int, seconds: float) -> Row:
    """So many causal calls in one compiled function, whose guards are checked once for all."""
    q, k, v = inputs(1, 2, 8, 16)

    @torch.compile(fullgraph=True)
    def ours(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        for _ in range(calls):
            q = regard.attention(q, k, v, mask=Causal())
        return q

    @torch.compile(fullgraph=True)
    def theirs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        for _ in range(calls):
            q = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return q

    both = [lambda run=run: run(q, k, v) for run in (ours, theirs)]
    agree(*both)
    row = side_by_side(*both, seconds)
    added = (row["ours_s"] - row["theirs_s"]) * 1e6 / calls
    return {"what": f"causal, {calls} compiled", "shape": (1, 2, 8, 16), **row, "added_us": added}


def window(seconds: float) -> list[Row]:
    """A window of 128 keys to either side against SDPA with the same window as a dense mask."""
    rows: list[Row] = []
    mask, before = SlidingWindow(128, 128), None
    for length in (2048, 8192, 65536):
        q, k, v = inputs(1, 8, length, 64)
        ours = lambda q=q, k=k, v=v: regard.attention(q, k, v, mask=mask)  # noqa: E731
        row: Row = {"what": "window ±128", "shape": (1, 8, length, 64)}
        if length <= 8192:
            position = torch.arange(length)
            dense = (position[:, None] - position).abs() <= 128
            theirs = lambda q=q, k=k, v=v, m=dense: F.scaled_dot_product_attention(q, k, v, m)  # noqa: E731
            agree(ours, theirs)
            row |= side_by_side(ours, theirs, seconds)
        else:
            row["ours_s"] = median_seconds(ours)
            row["note"] = (
                f"not run against a dense mask: {length**2 / 1e9:.1f} GB as booleans, "
                f"{4 * length**2 / 1e9:.1f} GB as the kernel's float32 copy"
            )
        if before is not None:
            row["time_over_previous_length"] = row["ours_s"] / before[1]
            row["length_over_previous_length"] = length / before[0]
        before = (length, row["ours_s"])
        rows.append(row)
    return rows


def sparse(seconds: float) -> list[Row]:
    """Sparsemax and 1.5-entmax attention against the `entmax` package on materialized scores."""
    rows: list[Row] = []
    for name, normalizer, peer in PEERS:
        for passes in ("forward", "forward+backward"):
            q, k, v = inputs(1, 8, 2048, 64, grad=passes != "forward")
            ours = lambda n=normalizer, q=q, k=k, v=v: regard.attention(q, k, v, normalizer=n)  # noqa: E731
            theirs = lambda p=peer, q=q, k=k, v=v: p(q @ k.mT / 8, dim=-1) @ v  # noqa: E731
            agree(ours, theirs)
            if passes != "forward":
                ours, theirs = backward(ours), backward(theirs)
            row = side_by_side(ours, theirs, seconds)
            rows.append({"what": f"{name} {passes}", "shape": (1, 8, 2048, 64), **row})
    return rows


def rows_of_weights(seconds: float) -> list[Row]:
    """The weights of eight queries against computing all of them."""
    q, k, _ = inputs(1, 8, 4096, 64)
    ours = lambda: regard.attention_weights(q, k, rows=range(8))  # noqa: E731
    theirs = lambda: torch.softmax(q @ k.mT / 8, dim=-1)[:, :, :8]  # noqa: E731
    agree(ours, theirs)
    row = side_by_side(ours, theirs, seconds)
    return [{"what": "weights of 8 rows", "shape": (1, 8, 4096, 64), **row}]


def work(backend: str, score: str, length: int, grad: bool) -> Callable[[], None]:
    """One call for the memory measurement, run in a process of its own."""
    q, k, v = inputs(1, 8, length, 64, grad=grad)
    if score == "additive":
        part = Additive()
        run = lambda: regard.attention(q, k, v, score=part, backend=backend)  # noqa: E731
    else:
        run = lambda: regard.attention(q, k, v, normalizer=sparsemax, backend=backend)  # noqa: E731
    return backward(run) if grad else run


def memory() -> list[Row]:
    """Bytes held at the peak: chunks of queries against the whole matrix."""
    rows: list[Row] = []
    for score, length in (("additive", 512), ("dot, sparsemax", 4096)):
        for grad in (False, True):
            held = {b: peak_bytes(work, b, score, length, grad) for b in ("chunked", "reference")}
            rows.append(
                {
                    "what": f"peak memory, {score}, {'forward+backward' if grad else 'forward'}",
                    "shape": (1, 8, length, 64),
                    "chunked_bytes": held["chunked"],
                    "reference_bytes": held["reference"],
                    "ratio": held["reference"] / max(1, held["chunked"]),
                }
            )
    return rows


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    table = Table("what", "shape", "ours", "theirs", "ratio", "more")
    for row in rows:
        shape = "×".join(map(str, row["shape"]))
        if "chunked_bytes" in row:
            ours, theirs = (f"{row[f'{b}_bytes'] / 1e6:.0f} MB" for b in ("chunked", "reference"))
        else:
            ours = f"{row['ours_s'] * 1e3:.3f} ms"
            theirs = f"{row['theirs_s'] * 1e3:.3f} ms" if "theirs_s" in row else "-"
        more = f"{row['added_us']:+.1f} µs" if "added_us" in row else str(row.get("note", ""))
        if "time_over_previous_length" in row:
            more += f" {row['time_over_previous_length']:.1f}× the time of the length before"
        ratio = f"{row['ratio']:.2f}×" if "ratio" in row else "-"
        table.add_row(str(row["what"]), shape, ours, theirs, ratio, more)
    Console().print(table)


def main() -> None:
    """Answer all questions and keep the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="per comparison")
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    options = parser.parse_args()
    seconds = options.seconds
    rows = (
        plain(seconds)
        + small(seconds)
        + window(seconds)
        + sparse(seconds)
        + rows_of_weights(seconds)
        + memory()
    )
    show(rows)
    if not options.dry_run:
        print(f"written to {save('operator', rows, entmax=entmax.__version__)}")


if __name__ == "__main__":
    main()
