"""How fast is this machine at what backends are made of, and does the planner then choose well?

Every backend that serves a call is timed on it, for calls of many lengths, windows, scores and
normalizers. The rates of `regard/_backends/_rates.py` are the numbers that predict these times
best; each choice, made with the rates that stand there, is held against the fastest backend. One
thread is measured, by its own clock, so that what else runs on the machine hardly counts.

    python -m benchmarks.rates [--dry-run]
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, replace
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

import regard
from benchmarks.measure import save
from regard._backends import _plan, sdpa
from regard._backends._call import Call
from regard._backends._rates import Rates, kernel_dtype, rates_of
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import divide_by_sum, sparsemax
from regard.score_mods import ALiBi
from regard.scores import Cosine, FeatureMapDot, NegativeSquaredDistance

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
SHAPES = ((1, 2, 16), (1, 8, 64), (8, 4, 32))  # batch, heads, width
LENGTHS = (8, 32, 64, 128, 192, 256, 512, 1024, 2048)
MOST = 1 << 24  # scores of a call
NEAR = 1.1  # times the fastest: such a choice counts as right
UNITS = ("step", "fused", "scores", "matmul", "numbers")

Parts = dict[str, dict[str, Any]]
Work = list[float]


class Timed(NamedTuple):
    """One call, the seconds of each backend, and the backend that is chosen."""

    what: str
    call: Call
    seconds: dict[str, float]
    chosen: str

    @property
    def slowdown(self) -> float:
        """How many times longer the chosen backend takes than the fastest."""
        return self.seconds[self.chosen] / min(self.seconds.values())


class Recorder:
    """Stands for `Rates`: the work it is asked to predict is what it answers."""

    def __init__(self, together: float) -> None:
        self.together = together

    def seconds(self, steps: int, **work: float) -> Work:
        return [float({"step": steps, **work}.get(unit, 0)) for unit in UNITS]


def calls(dtype: torch.dtype) -> Iterator[tuple[str, Call]]:
    """Calls that one backend serves better than another, each with a name."""
    for batch, heads, width in SHAPES:
        for length in LENGTHS:
            if batch * heads * length * length > MOST:
                continue
            generator = torch.Generator().manual_seed(length)
            shape = (3, batch, heads, length, width)
            q, k, v = torch.randn(shape, generator=generator).to(dtype).unbind()
            for name, parts in (_windows(length) | _others(batch, heads, length)).items():
                yield name, regard.plan(q, k, v, **parts).call
            for name, parts in _windows(length).items():
                yield f"one query, {name}", regard.plan(q[:, :, -1:], k, v, **parts).call


def _windows(length: int) -> Parts:
    wide = {f"window {n}": {"mask": SlidingWindow(n)} for n in (4, 16, 64, 256) if n < length}
    both = {"window ±16": {"mask": SlidingWindow(16, 16)}} if length > 16 else {}
    return {"plain": {}, **wide, **both}


def _others(batch: int, heads: int, length: int) -> Parts:
    padding, near = Padding(torch.full((batch,), 3 * length // 4)), SlidingWindow(16)
    linear = {"score": FeatureMapDot(), "normalizer": divide_by_sum}
    return {
        "causal": {"mask": Causal()},
        "padding": {"mask": padding},
        "causal, padding": {"mask": Causal() & padding},
        "window 16, padding": {"mask": near & padding},
        **{f"documents of {n}": {"mask": _documents(length, n)} for n in (4, 16, 64)},
        "documents of 16, causal": {"mask": _documents(length, 16) & Causal()},
        "cosine": {"score": Cosine()},
        "window 16, cosine": {"mask": near, "score": Cosine()},
        "window 16, distance": {"mask": near, "score": NegativeSquaredDistance()},
        "dropout": {"dropout": 0.1},
        "window 16, dropout": {"mask": near, "dropout": 0.1},
        "alibi": {"score_mod": ALiBi(heads), "mask": Causal()},
        "feature map, softmax": {"score": FeatureMapDot()},
        "linear": linear,
        "linear, causal": {**linear, "mask": Causal()},
        "linear, padding": {**linear, "mask": padding},
        "sparsemax": {"normalizer": sparsemax},
    }


def _documents(length: int, mean: int) -> Document:
    """Documents that are, in turn, shorter and longer than the mean by half of it."""
    pair = torch.tensor([mean // 2, mean + mean // 2])
    many = pair.repeat(length // mean + 1)
    return Document(torch.arange(len(many)).repeat_interleave(many)[:length])


def seconds_of(run: Callable[[], object]) -> float:
    """The least of a few runs, by the clock of this thread."""
    first = _clock(run, 1)
    repeat = max(1, int(1e-3 / max(first, 1e-6)))
    return min(_clock(run, repeat) for _ in range(6 if first < 0.02 else 2))


def _clock(run: Callable[[], object], repeat: int) -> float:
    start = time.thread_time()
    for _ in range(repeat):
        run()
    return (time.thread_time() - start) / repeat


@torch.inference_mode()
def timed(dtype: torch.dtype) -> Iterator[Timed]:
    """Every call on every backend that is taken for it without being named."""
    for name, call in calls(dtype):
        seconds = {}
        for backend in _plan.candidates(call):
            run = _plan.BACKENDS[backend].run
            seconds[backend] = seconds_of(lambda run=run, call=call: run(call))
        yield Timed(name, call, seconds, _plan.choose(call))


def fitted(rows: list[Timed], dtype: torch.dtype) -> Rates:
    """The rates that predict all seconds best, by the sum of relative errors.

    No backend does nothing but multiply, so the rate of a product is measured by itself; how many
    queries the kernel takes together follows from those calls that have a single one.
    """
    rows = [row for row in rows if kernel_dtype(row.call) == dtype]
    rates = Rates(0.0, 0.0, 0.0, matmul_rate(dtype), 0.0, together=1.0)
    for _ in range(8):
        rates = _solved(rows, rates)
        rates = replace(rates, together=_together(rows, rates))
    return rates


def _solved(rows: list[Timed], rates: Rates) -> Rates:
    """Least squares, its rows weighted until it is the sum of absolute errors that is least."""
    recorder = Recorder(rates.together)
    pairs = [(row.call, name, s) for row in rows for name, s in row.seconds.items()]
    work = [_plan.BACKENDS[name].seconds(call, recorder) for call, name, _ in pairs]
    relative = torch.tensor(work, dtype=torch.float64)
    relative /= torch.tensor([s for *_, s in pairs], dtype=torch.float64)[:, None]
    others = relative[:, [unit != "matmul" for unit in UNITS]]
    size, rest = others.amax(0), 1 - relative[:, UNITS.index("matmul")] / rates.matmul
    others, weight = others / size, torch.ones_like(rest)
    for _ in range(30):
        weighted = others * weight[:, None], (rest * weight)[:, None]
        found = torch.linalg.lstsq(*weighted).solution[:, 0]
        weight = ((others @ found - rest).abs() + 0.05).rsqrt()
    step, fused, scores, numbers = (found / size).tolist()
    return Rates(step, 1 / fused, 1 / scores, rates.matmul, 1 / numbers, rates.together)


def _together(rows: list[Timed], rates: Rates) -> float:
    """As how many queries a single one counts, to take as long as it does."""
    alone = replace(rates, together=1.0)
    found = []
    for what, call, seconds, _ in rows:
        if what == "one query, plain" and call.k_len >= 128:
            steps, fused, scores, *_ = sdpa.seconds(call, Recorder(1.0))
            rest = seconds["sdpa"] - alone.seconds(steps, scores=scores)
            found.append(rest / alone.seconds(0, fused=fused))
    return max(1.0, statistics.median(found))


def matmul_rate(dtype: torch.dtype) -> float:
    """FLOP/s of the product that makes scores, in the dtype they are made in."""
    exact = torch.promote_types(dtype, torch.float32)
    a, b = torch.randn(8, 256, 64, dtype=exact), torch.randn(8, 64, 256, dtype=exact)
    return 2 * 8 * 256 * 64 * 256 / seconds_of(lambda: a @ b)


def judged(rows: list[Timed], dtype: torch.dtype) -> Iterator[dict[str, object]]:
    """For each kind of call how often the choice is right, and what it costs where it is not."""
    kinds: dict[str, list[Timed]] = defaultdict(list)
    for row in rows:
        if len(row.seconds) > 1:
            kinds[row.what] += [row]
            kinds["all"] += [row]
    for what, same in kinds.items():
        slow = [row.slowdown for row in same]
        yield {
            "what": what,
            "dtype": str(dtype)[6:],
            "calls": len(same),
            "right": sum(one <= NEAR for one in slow),
            "mean_slowdown": round(statistics.mean(slow), 4),
            "worst_slowdown": round(max(slow), 3),
            "predicted_over_measured": round(statistics.median(_errors(same)), 3),
        }


def _errors(rows: list[Timed]) -> list[float]:
    return [
        _plan.BACKENDS[row.chosen].seconds(row.call, rates) / row.seconds[row.chosen]
        for row in rows
        if (rates := rates_of(row.call)) is not None
    ]


def show(rates: dict[str, Rates], rows: list[dict[str, object]]) -> None:
    """Print the rates as lines of the table they belong into, and how the choices went."""
    for dtype, one in rates.items():
        numbers = ", ".join(f"{number:.3g}" for number in astuple(one))
        print(f'    ("cpu", torch.{dtype}): Rates({numbers}),')
    table = Table("what", "dtype", "right of", "calls", "slowdown", "worst", "predicted/measured")
    for row in rows:
        names = ("what", "dtype", "right", "calls", "mean_slowdown", "worst_slowdown")
        table.add_row(*(str(row[name]) for name in (*names, "predicted_over_measured")))
    Console().print(table)


def main() -> None:
    """Measure, fit and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rates, rows = {}, []
    for dtype in DTYPES:
        found = list(timed(dtype))
        rates[str(dtype)[6:]] = fitted(found, dtype)
        rows += judged(found, dtype)
    show(rates, rows)
    if not options.dry_run:
        kept = {dtype: asdict(one) for dtype, one in rates.items()}
        print(f"written to {save('rates', rows, rates=kept)}")


if __name__ == "__main__":
    main()
