"""How fast are biases, soft caps and sigmoid weights on a CPU, and how far from what it could do?

Our own loops against the same written out in PyTorch, and against its fused kernel with the bias
made and given as a mask, forward and with backward, learned tables and tensors included, and with
dropped weights; beside each the floor of `benchmarks.softmax`, to which one exponential for each
score is added where there is a cap. One thread, by the clock of the process. Correctness comes
before timing.

    python -m benchmarks.biases [--seconds 2] [--threads 1] [--chains] [--dry-run]
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from benchmarks.measure import clock, peak_bytes, save_timings, side_by_side, timing_options
from benchmarks.softmax import floor, rates
from regard.masks import Causal, SlidingWindow
from regard.normalizers import sigmoid
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, SoftCap

Row = dict[str, Any]
HEADS, WIDTH = 8, 64
SHAPES = ((8, 512), (1, 2048))
"""Batch and tokens."""
CAP, DROPOUT = 30.0, 0.1
MASKS: dict[str, Any] = {"all": None, "causal": Causal(), "window": SlidingWindow(128, 128)}


class Case(NamedTuple):
    """A mechanism: our parts, and what is written out: what is added, and what weighs."""

    parts: dict[str, Any]
    added: Callable[[int], Tensor] | None = None
    cap: float = 0.0
    weigh: Callable[[Tensor], Tensor] = lambda scores: scores.softmax(-1)
    learned: tuple[Tensor, ...] = ()
    dropout: float = 0.0


def cases(length: int) -> dict[str, Case]:
    """Every mechanism, for so many tokens."""
    torch.manual_seed(0)
    table, dense = RelativeBias(HEADS), torch.randn(HEADS, length, length)
    torch.nn.init.normal_(table.weight)
    t5 = Case({"score_mod": table}, lambda n: _table(table, n), learned=tuple(table.parameters()))
    own = torch.nn.Parameter(dense.clone())
    return {
        "nothing, dropout": Case({}, lambda n: torch.zeros(n, n), dropout=DROPOUT),
        "alibi": Case({"score_mod": ALiBi(HEADS)}, _alibi),
        "alibi, dropout": Case({"score_mod": ALiBi(HEADS)}, _alibi, dropout=DROPOUT),
        "T5": t5,
        "T5, dropout": t5._replace(dropout=DROPOUT),
        "bias of all pairs": Case({"score_mod": Bias(dense[None])}, lambda n: dense),
        "learned bias of all pairs": Case(
            {"score_mod": Bias(own[None])}, lambda n: own, learned=(own,)
        ),
        "learned bias, dropout": Case(
            {"score_mod": Bias(own[None])}, lambda n: own, learned=(own,), dropout=DROPOUT
        ),
        "soft cap": Case({"score_mod": SoftCap(CAP)}, cap=CAP),
        "sigmoid": Case({"normalizer": sigmoid}, weigh=torch.sigmoid),
    }


def _distances(length: int) -> Tensor:
    places = torch.arange(length)
    return places - places[:, None]


def _alibi(length: int) -> Tensor:
    slopes = 2.0 ** -torch.arange(1.0, HEADS + 1)
    return -slopes[:, None, None] * _distances(length).abs()


def _table(mod: RelativeBias, length: int) -> Tensor:
    return mod.weight[mod.bucket(_distances(length))].permute(2, 0, 1)


def compared(seconds: float, known: dict[str, float]) -> Iterator[Row]:
    """Every case at every length under every mask, forward and with backward."""
    for batch, length in SHAPES:
        for what, case in cases(length).items():
            for where, mask in MASKS.items():
                for learns in (False, True):
                    yield from one(batch, length, what, case, where, mask, learns, seconds, known)


def one(
    batch: int, length: int, what: str, case: Case, where: str, mask: Any, learns: bool,
    seconds: float, known: dict[str, float],
) -> Iterator[Row]:  # fmt: skip
    """Our own way beside each of the others, of which the kernel has neither cap nor sigmoid."""
    shape = (batch, HEADS, length, WIDTH)
    q, k, v = (torch.randn(shape, requires_grad=learns) for _ in range(3))
    permitted = None if mask is None else _permitted(mask, length)
    others = {"written out": lambda p: _written_out(q, k, v, case, permitted, p)}
    if case.added is not None:
        others["SDPA"] = lambda p: _fused(q, k, v, case, permitted, p)
    leaves, upstream = [q, k, v, *case.learned], torch.randn(shape)
    run = lambda p: regard.attention(  # noqa: E731
        q, k, v, mask=mask, **case.parts, dropout=p, backend="blocked"
    )
    work = _floor(shape, where, learns, case, known)
    plan = regard.plan(q, k, v, mask=mask, **case.parts, dropout=case.dropout)
    for name, other in others.items():
        if learns:  # without a dropout, since no two drop the same weights
            _agree([torch.autograd.grad(f(0.0), leaves, upstream) for f in (run, other)])
        else:
            with torch.no_grad():
                _agree([[f(0.0)] for f in (run, other)])
        ours, theirs = (partial(f, case.dropout) for f in (run, other))
        if learns:
            ours, theirs = (_backward(f, upstream) for f in (ours, theirs))
        else:
            ours, theirs = (torch.no_grad()(f) for f in (ours, theirs))
        row = side_by_side(ours, theirs, seconds, clock)
        passes = "forward+backward" if learns else "forward"
        yield {
            "what": f"{what}, {where}, {passes}", "shape": shape, "other": name, **row,
            "floor_s": work, "over_floor": row["ours_s"] / work, "chosen": plan.backend,
        }  # fmt: skip


def _permitted(mask: Any, length: int) -> Tensor:
    q, k = torch.arange(length)[:, None], torch.arange(length)
    return mask(torch.tensor(0), torch.tensor(0), q, k)


def _written_out(
    q: Tensor, k: Tensor, v: Tensor, case: Case, permitted: Tensor | None, dropout: float
) -> Tensor:
    scores = (q * WIDTH**-0.5) @ k.mT
    if case.cap:
        scores = case.cap * torch.tanh(scores / case.cap)
    if case.added is not None:
        scores = scores + case.added(q.shape[2])
    if permitted is not None:
        scores = scores.masked_fill(~permitted, -torch.inf)
    return torch.dropout(case.weigh(scores), dropout, train=True) @ v


def _fused(
    q: Tensor, k: Tensor, v: Tensor, case: Case, permitted: Tensor | None, dropout: float
) -> Tensor:
    assert case.added is not None
    bias = case.added(q.shape[2])
    if permitted is not None:
        bias = bias.masked_fill(~permitted, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, bias[None], dropout)


def _backward(run: Callable[[], Tensor], upstream: Tensor) -> Callable[[], None]:
    return lambda: run().backward(upstream)


def _agree(found: list[Any]) -> None:
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


def _floor(
    shape: tuple[int, ...], where: str, learns: bool, case: Case, known: dict[str, float]
) -> float:
    batch, heads, length, _ = shape
    seen = length
    if where == "window":
        seen = int(_permitted(MASKS[where], length).sum()) / length
    passes = "forward+backward" if learns else "forward"
    work = floor(shape, where == "causal", passes, known) * seen / length
    if not case.cap:
        return work
    pairs = batch * heads * length * (length / 2 if where == "causal" else seen)
    return work + pairs * (2 if learns else 1) / known["exponentials"]


def chains(seconds: float) -> Iterator[Row]:
    """Several links between the product and the weight, against the same by `chunked`."""
    length = 512
    table, cap = RelativeBias(HEADS), torch.nn.Parameter(torch.tensor(CAP))
    torch.nn.init.normal_(table.weight)
    dense = torch.nn.Parameter(torch.randn(1, HEADS, length, length))
    mods = {
        "learned cap": SoftCap(cap), "cap, T5, cap": Chain(SoftCap(CAP), table, SoftCap(cap)),
        "alibi, learned bias of all pairs": Chain(ALiBi(HEADS), Bias(dense)),
    }  # fmt: skip
    for what, mod in mods.items():
        q, k, v = (torch.randn(2, HEADS, length, WIDTH, requires_grad=True) for _ in range(3))
        run = lambda backend, q=q, k=k, v=v, m=mod: regard.attention(  # noqa: E731
            q, k, v, score_mod=m, backend=backend
        )
        _agree([[run("blocked")], [run("chunked")]])
        for passes in ("forward", "forward+backward"):
            ours, theirs = (partial(run, name) for name in ("blocked", "chunked"))
            if passes == "forward":
                ours, theirs = (torch.no_grad()(f) for f in (ours, theirs))
            else:
                ours, theirs = (_backward(f, torch.ones_like(q)) for f in (ours, theirs))
            row = side_by_side(ours, theirs, seconds, clock)
            yield {"what": f"{what}, {passes}", "shape": q.shape, "other": "chunked", **row}


def work(length: int, backend: str) -> Callable[[], None]:
    """Forward and backward of T5's attention, for the measurement of memory."""
    mod = RelativeBias(HEADS)
    x, few = (torch.randn(1, HEADS, n, WIDTH, requires_grad=True) for n in (length, 8))
    attend = lambda y: regard.attention(y, y, y, score_mod=mod, backend=backend)  # noqa: E731
    attend(few).sum().backward()  # loads the loops, and Numba
    return lambda: attend(x).sum().backward()


def memory() -> Iterator[Row]:
    """Bytes held at the peak, the inputs not counted."""
    for length in (1024, 2048):
        held = {name: peak_bytes(work, length, name) for name in ("blocked", "sdpa")}
        yield {
            "what": "T5, peak bytes, forward+backward", "shape": (1, HEADS, length, WIDTH),
            **{f"{name}_bytes": size for name, size in held.items()},
        }  # fmt: skip


def main() -> None:
    """Measure, show and keep."""
    options = timing_options(__doc__, 2.0, chains="only several links after one another")
    if options.chains:
        for row in (rows := list(chains(options.seconds))):
            print(row["what"], f"{row['ours_s'] * 1e3:.1f} ms, {row['ratio']:.2f}×")
        save_timings(options, "chains", rows)
        return
    known, rows = rates(), []
    for row in compared(options.seconds, known):
        rows.append(row)
        times = f"{row['ours_s'] * 1e3:.2f} ms, {row['other']} {row['theirs_s'] * 1e3:.2f} ms"
        print(
            f"{row['what']} {row['shape'][0]}×{row['shape'][2]}: {times}, {row['ratio']:.2f}×, "
            f"{row['over_floor']:.2f} floors, {row['chosen']}",
            flush=True,
        )
    for row in memory():
        rows.append(row)
        print(row, flush=True)
    save_timings(options, "biases", rows, rates=known)


if __name__ == "__main__":
    main()
