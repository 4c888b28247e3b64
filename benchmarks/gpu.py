"""What a GPU makes of it: additive and sparse attention by Triton, windows, and plain softmax.

    python -m benchmarks.gpu

takes some minutes on an H100 and writes results/gpu.json after each group of rows. Each row is
first compared with another way; beside each time stands the floor: the work over what the device
does in a second, which is taken from its clock and from a product and a copy that are measured
here. `TRITON_INTERPRET=1 python -m benchmarks.gpu --tiny` goes through the same on a CPU, without
times, and saves nothing.
"""

import argparse
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from benchmarks.measure import median_seconds, save, side_by_side
from regard.masks import Causal, SlidingWindow
from regard.normalizers import Entmax, sparsemax
from regard.scores import Additive

Row = dict[str, Any]
Run = Callable[[], Tensor]
TOGETHER = 10
"""Calls that are given to the device before it is waited for."""
LARGEST = 40 << 30
"""Bytes up to which a way of others is asked to hold what it holds."""

ADDITIVE = [(8, 1, 128, 256, False), (8, 1, 512, 256, False), (4, 8, 1024, 64, True)]
SPARSE = [(1, 16, 4096, 64), (1, 16, 8192, 64)]
WINDOWS = [2048, 8192]
TINY_ADDITIVE, TINY_SPARSE, TINY_WINDOWS = [(1, 1, 9, 8, True)], [(1, 1, 70, 16)], [300]


def many(run: Run) -> Callable[[], None]:
    """Several calls, waited for together."""

    def go() -> None:
        for _ in range(TOGETHER):
            run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return go


def timed(ours: Run, theirs: Run, seconds: float) -> Row:
    """Seconds of one call of each, taking turns; without time to do so, neither is called."""
    if seconds == 0.0:
        return {}
    row = side_by_side(many(ours), many(theirs), seconds)
    return row | {name: row[name] / TOGETHER for name in ("ours_s", "theirs_s")}


def backward(run: Run, leaves: list[Tensor]) -> Run:
    """The same with all its gradients."""

    def go() -> Tensor:
        output = run()
        return torch.autograd.grad(output, leaves, torch.ones_like(output))[0]

    return go


def agree(ours: Run, theirs: Run, tolerance: float) -> None:
    """Raise unless two ways give the same, so far as their numbers can."""
    found, wanted = ours().float(), theirs().float()
    error = (found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-3)
    if not error <= tolerance:
        raise AssertionError(f"two ways differ by {error:.3g} of the largest number")


def peak(run: Run) -> int | None:
    """Bytes that one call holds at most, beyond what was there."""
    if not torch.cuda.is_available():
        return None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def device_rates() -> Row:
    """What the device does in a second: by its clock, and by a product and a copy."""
    if not torch.cuda.is_available():
        return {}
    units = torch.cuda.get_device_properties(0).multi_processor_count
    asked = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits", "--id=0"]
    clock = 1e6 * float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    flops = 2 * 8192**3 / (median_seconds(many(lambda: a @ a)) / TOGETHER)
    copied = 2 * a.numel() * 2 / (median_seconds(many(a.clone)) / TOGETHER)
    return {
        "device": torch.cuda.get_device_name(0),
        "multiprocessors": units,
        "clock": clock,
        "reciprocals": 16 * units * clock,  # a multiprocessor has 16 units for them
        "operations": 128 * units * clock,  # and begins 128 operations of a number
        "bfloat16_flops": flops,
        "bytes": copied,
    }


def additive(sizes: list[tuple[int, int, int, int, bool]], rates: Row, seconds: float) -> list[Row]:
    """Additive attention against broadcasting, as it is and compiled."""
    rows = []
    for batch, heads, length, width, is_causal in sizes:
        score = Additive(width, width, width).to(DEVICE)
        leaves = [
            torch.randn(batch, heads, length, width, device=DEVICE, requires_grad=True)
            for _ in range(3)
        ]
        hidden = torch.ones(length, length, dtype=torch.bool, device=DEVICE).triu(1)

        def broadcast(
            q=leaves[0], k=leaves[1], v=leaves[2], score=score, hidden=hidden, c=is_causal
        ):
            scores = score(q, k)
            if c:
                scores = scores.masked_fill(hidden, -torch.inf)
            return scores.softmax(-1) @ v

        mask = Causal() if is_causal else None
        ours = lambda x=leaves, s=score, m=mask: regard.attention(  # noqa: E731
            *x, score=s, mask=m, backend="triton"
        )
        triples = batch * heads * length * length * width / (2 if is_causal else 1)
        agree(ours, broadcast, 1e-4)
        for passes in ("forward", "forward+backward"):
            for name in ("broadcast", "compiled"):
                if 8 * triples * (3 if name == "broadcast" else 1) > LARGEST:
                    continue
                theirs = torch.compile(broadcast) if name == "compiled" else broadcast
                asked = [*leaves, *score.parameters()]
                if passes == "forward":
                    mine, yours = no_grad(ours), no_grad(theirs)
                else:
                    mine, yours = backward(ours, asked), backward(theirs, asked)
                    agree(mine, yours, 1e-3)
                row = {"what": "additive", "passes": passes, "against": name, "causal": is_causal}
                row |= {"shape": (batch, heads, length, width), **timed(mine, yours, seconds)}
                if rates:
                    # Forward a half reciprocal and four operations; backward the same again, and
                    # twice a reciprocal with four to five for the sums on either side.
                    both = passes != "forward"
                    floor = triples * (3.0 if both else 0.5) / rates["reciprocals"]
                    by_issue = triples * (18.0 if both else 4.0) / rates["operations"]
                    row |= {"floor_s": max(floor, by_issue)}
                    row["share_of_floor"] = row["floor_s"] / row["ours_s"]
                row |= {"ours_peak": peak(mine), "theirs_peak": peak(yours)}
                rows.append(row)
    return rows


def sparse(sizes: list[tuple[int, int, int, int]], rates: Row, seconds: float) -> list[Row]:
    """Entmax and sparsemax, causal, in 16 bits, against `entmax`, `chunked` and AdaSplash."""
    rows = []
    for shape in sizes:
        kind = torch.bfloat16 if DEVICE == "cuda" else torch.float32
        leaves = [torch.randn(shape, device=DEVICE, dtype=kind, requires_grad=True) for _ in "qkv"]
        for name, normalizer in (("entmax 1.5", Entmax()), ("sparsemax", sparsemax)):
            ways = {"chunked": by_backend("chunked", leaves, normalizer)}
            if find_spec("adasplash") is not None and name == "entmax 1.5":
                from adasplash import adasplash

                ways["AdaSplash"] = lambda x=leaves: adasplash(*x, alpha=1.5, is_causal=True)
            if find_spec("entmax") is not None and 8 * shape[1] * shape[2] ** 2 * 6 < LARGEST:
                ways["entmax"] = materialized(name, leaves)
            ours = by_backend("triton", leaves, normalizer)
            for against, theirs in ways.items():
                agree(ours, theirs, 3e-2)
                for passes in ("forward", "forward+backward"):
                    if passes == "forward":
                        mine, yours = no_grad(ours), no_grad(theirs)
                    else:
                        mine, yours = backward(ours, leaves), backward(theirs, leaves)
                    row = {"what": name, "passes": passes, "against": against, "causal": True}
                    row |= {"shape": shape, **timed(mine, yours, seconds)}
                    if rates:
                        # Two products of all pairs, below the diagonal; eight with gradients.
                        products = 2 if passes == "forward" else 8
                        flops = products * shape[0] * shape[1] * shape[2] ** 2 * shape[3]
                        row["floor_s"] = flops / rates["bfloat16_flops"]
                        row["share_of_floor"] = row["floor_s"] / row["ours_s"]
                    row |= {"ours_peak": peak(mine), "theirs_peak": peak(yours)}
                    rows.append(row)
    return rows


def windows(lengths: list[int], rates: Row, seconds: float) -> list[Row]:
    """A window of 128 to either side, and plain softmax, as planned, against SDPA itself."""
    rows = []
    for length in lengths:
        kind = torch.bfloat16 if DEVICE == "cuda" else torch.float32
        leaves = [
            torch.randn(1, 16, length, 64, device=DEVICE, dtype=kind, requires_grad=True)
            for _ in "qkv"
        ]
        place = torch.arange(length, device=DEVICE)
        near = (place[:, None] - place).abs() <= 128
        for what, mask, dense in (("window", SlidingWindow(128, 128), near), ("plain", None, None)):
            ours = lambda x=leaves, m=mask: regard.attention(*x, mask=m)  # noqa: E731
            theirs = lambda x=leaves, m=dense: F.scaled_dot_product_attention(*x, m)  # noqa: E731
            agree(ours, theirs, 3e-2)
            for passes in ("forward", "forward+backward"):
                if passes == "forward":
                    mine, yours = no_grad(ours), no_grad(theirs)
                else:
                    mine, yours = backward(ours, leaves), backward(theirs, leaves)
                row = {"what": what, "passes": passes, "against": "SDPA", "length": length}
                row |= timed(mine, yours, seconds)
                if rates:
                    pairs = length * (min(257, length) if mask is not None else length)
                    flops = (4 if passes == "forward" else 14) * 16 * pairs * 64
                    row["floor_s"] = flops / rates["bfloat16_flops"]
                    row["share_of_floor"] = row["floor_s"] / row["ours_s"]
                row |= {"backend": regard.plan(*leaves, mask=mask).backend}
                row |= {"ours_peak": peak(mine), "theirs_peak": peak(yours)}
                rows.append(row)
    return rows


def by_backend(backend: str, leaves: list[Tensor], normalizer: Any) -> Run:
    return lambda: regard.attention(*leaves, mask=Causal(), normalizer=normalizer, backend=backend)


def materialized(name: str, leaves: list[Tensor]) -> Run:
    """The package `entmax` on a matrix of all scores."""
    import entmax

    peer = entmax.entmax15 if name == "entmax 1.5" else entmax.sparsemax

    def run() -> Tensor:
        query, key, value = leaves
        hidden = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=DEVICE).triu(1)
        scores = (query @ key.mT).float() * query.shape[3] ** -0.5
        return peer(scores.masked_fill(hidden, -1e4), dim=-1).to(value.dtype) @ value

    return run


def no_grad(run: Run) -> Run:
    return torch.no_grad()(lambda: run())


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each timing")
    parser.add_argument("--tiny", action="store_true", help="small enough for an interpreter")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    rates, rows = device_rates(), []
    sizes = (ADDITIVE, SPARSE, WINDOWS)
    if options.tiny:
        options.seconds = 0.0
        sizes = (TINY_ADDITIVE, TINY_SPARSE, TINY_WINDOWS)
    for group, given in zip((additive, sparse, windows), sizes, strict=True):
        rows += group(given, rates, options.seconds)
        if not options.tiny:
            save("gpu", rows, rates=rates)
    for row in rows:
        print(row, flush=True)


if __name__ == "__main__":
    main()
