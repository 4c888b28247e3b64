"""How fast this machine is at what backends are made of, measured in a minute.

Every backend that serves a call is timed on it, for calls of many lengths and parts; the rates are
the numbers that predict these times best. One thread is measured, by its own clock, so that what
else runs on the machine hardly counts. `benchmarks/rates.py` does the same with more calls.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from regard._backends import _machine, _memo, _plan, blocked, sdpa
from regard._backends._bind import bind
from regard._backends._call import Call
from regard._backends._machine import where as where
from regard._backends._rates import Rates, kernel_dtype, rates_of_cpu
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import softmax, sparsemax
from regard.score_mods import ALiBi
from regard.scores import Cosine, ScaledDot

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
SHAPES = ((1, 8, 64), (1, 4, 128), (4, 2, 32))
"""Batch, heads and width."""
LENGTHS = (8, 64, 192, 512, 1024)
SDPA, BLOCKED = (
    next(name for name, one in _plan.BACKENDS.items() if one is module)
    for module in (sdpa, blocked)
)
UNITS = tuple(one.name for one in fields(Rates) if one.name not in ("together", "training"))

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

    def __init__(self, together: float, has_faster_tiles: bool = False) -> None:
        self.together, self.has_faster_tiles = together, has_faster_tiles

    def seconds(self, steps: int, **work: float) -> Work:
        return [float({"step": steps, **work}.get(unit, 0)) for unit in UNITS]


def tune(seconds: float = 60.0, told: Callable[[str], None] = lambda line: None) -> Path:
    """Measure the rates of this machine in about so many seconds, and keep them for it.

    Args:
        told: is given a line after each dtype.

    Returns:
        The file, from which the planner reads them: in this process for what it has not planned
        yet, and in all later ones.

    Raises:
        OSError: where the user's cache folder cannot be written.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rates = {}
        for dtype in DTYPES:
            rows = list(timed(dtype, calls(dtype), seconds / len(DTYPES)))
            rates[str(dtype)[6:]] = found = fitted(rows, dtype)
            told(
                f"{str(dtype)[6:]}: {len(rows)} calls; a step {found.step * 1e6:.1f} µs, products "
                f"{found.matmul / 1e9:.0f}, SDPA {found.fused / 1e9:.0f}, our own loops "
                f"{found.tiles / 1e9:.0f} GFLOP/s"
            )
    finally:
        torch.set_num_threads(threads)
    path = _machine.keep({dtype: asdict(one) for dtype, one in rates.items()})
    rates_of_cpu.cache_clear()
    _memo.forget()
    return path


def calls(dtype: torch.dtype) -> Iterator[tuple[str, Call]]:
    """Calls that one backend serves better than another, each with a name; the shortest first."""
    for length in LENGTHS:
        for batch, heads, width in SHAPES:
            generator = torch.Generator().manual_seed(length)
            shape = (3, batch, heads, length, width)
            q, k, v = torch.randn(shape, generator=generator).to(dtype).unbind()
            for name, parts in _parts(batch, heads, length).items():
                yield name, call_of(q, k, v, **parts)
            yield "one query, plain", call_of(q[:, :, -1:], k, v)


def _parts(batch: int, heads: int, length: int) -> Parts:
    padding, near = Padding(torch.full((batch,), 3 * length // 4)), SlidingWindow(16)
    return {
        "plain": {},
        "causal": {"mask": Causal()},
        "padding": {"mask": padding},
        "causal, padding": {"mask": Causal() & padding},
        "window 16": {"mask": near},
        "window 64": {"mask": SlidingWindow(64)},
        "documents of 16": {"mask": Document(torch.arange(length) // 16)},
        "cosine": {"score": Cosine()},
        "dropout": {"dropout": 0.1},
        "alibi": {"score_mod": ALiBi(heads), "mask": Causal()},
        "sparsemax": {"normalizer": sparsemax},
    }


def call_of(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **parts: Any) -> Call:
    given = {
        "score": ScaledDot(), "score_mod": None, "mask": None, "normalizer": softmax,
        "dropout": 0.0, "q_offset": None, **parts,
    }  # fmt: skip
    return bind(q, k, v, **given)


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
def timed(
    dtype: torch.dtype, calls: Iterator[tuple[str, Call]], most: float = float("inf")
) -> Iterator[Timed]:
    """Every call on every backend that can serve it without being named, for so many seconds."""
    end = time.perf_counter() + most
    for name, call in calls:
        seconds = {}
        for backend in _plan.candidates(call):
            run = partial(_plan.BACKENDS[backend].run, call)
            run()  # whatever is to be compiled or kept is, then
            seconds[backend] = seconds_of(run)
        yield Timed(name, call, seconds, _plan.choose(call))
        if time.perf_counter() > end:
            return


def fitted(rows: list[Timed], dtype: torch.dtype) -> Rates:
    """The rates that predict all seconds best, by the sum of relative errors.

    No backend does nothing but multiply, so the rate of a product is measured by itself; how many
    queries the kernel takes together follows from those calls that have a single one.
    """
    rows = [row for row in rows if kernel_dtype(row.call) == dtype]
    rates = replace(rates_of_cpu()[dtype], matmul=matmul_rate(dtype), together=1.0)
    for _ in range(8):
        rates = _solved(rows, rates, dtype)
        rates = replace(rates, together=_together(rows, rates))
    return replace(rates, training=training_ratio(dtype))


def _solved(rows: list[Timed], rates: Rates, dtype: torch.dtype) -> Rates:
    """Least squares, its rows weighted until it is the sum of absolute errors that is least.

    What these calls do not tell stays what it is: a unit that none of them uses, or that seems to
    take no time.
    """
    # Which loops were timed follows from the rates that stood while they were.
    recorder = Recorder(rates.together, rates_of_cpu()[dtype].has_faster_tiles)
    pairs = [(row.call, name, s) for row in rows for name, s in row.seconds.items()]
    work = [_plan.BACKENDS[name].seconds(call, recorder) for call, name, _ in pairs]  # type: ignore[arg-type]
    relative = torch.tensor(work, dtype=torch.float64)
    relative /= torch.tensor([s for *_, s in pairs], dtype=torch.float64)[:, None]
    asked = [unit for unit in UNITS if unit != "matmul" and relative[:, UNITS.index(unit)].any()]
    others = relative[:, [UNITS.index(unit) for unit in asked]]
    size, rest = others.amax(0), 1 - relative[:, UNITS.index("matmul")] / rates.matmul
    others, weight = others / size, torch.ones_like(rest)
    for _ in range(30):
        weighted = others * weight[:, None], (rest * weight)[:, None]
        found = torch.linalg.lstsq(*weighted).solution[:, 0]
        weight = ((others @ found - rest).abs() + 0.05).rsqrt()
    took = dict(zip(asked, (found / size).tolist(), strict=True))
    known = {unit: s if unit == "step" else 1 / s for unit, s in took.items() if s > 0}
    return replace(rates, **known)


def _together(rows: list[Timed], rates: Rates) -> float:
    """As how many queries a single one counts, to take as long as it does."""
    alone = replace(rates, together=1.0)
    found = []
    for what, call, seconds, _ in rows:
        if what == "one query, plain" and call.k_len >= 128:
            units: Any = sdpa.seconds(call, Recorder(1.0))  # type: ignore[arg-type]
            work = dict(zip(UNITS, units, strict=True))
            rest = seconds[SDPA] - alone.seconds(int(work["step"]), scores=int(work["scores"]))
            found.append(rest / alone.seconds(0, fused=work["fused"]))
    return max(1.0, statistics.median(found)) if found else rates.together


def matmul_rate(dtype: torch.dtype) -> float:
    """FLOP/s of the product that makes scores, in the dtype they are made in."""
    exact = torch.promote_types(dtype, torch.float32)
    a, b = torch.randn(8, 256, 64, dtype=exact), torch.randn(8, 64, 256, dtype=exact)
    return 2 * 8 * 256 * 64 * 256 / seconds_of(lambda: a @ b)


def training_ratio(dtype: torch.dtype) -> float:
    """How many times more a backward pass adds to the time of PyTorch's kernel than to our loops'.

    1 where these do not serve.
    """
    found = []
    for length in (512, 1024):
        inputs = [torch.randn(1, 8, length, 64).to(dtype).requires_grad_() for _ in range(3)]
        call = call_of(*inputs)
        if BLOCKED not in _plan.candidates(call):
            return 1.0
        fused, tiles = (_with_backward(_plan.BACKENDS[name], call) for name in (SDPA, BLOCKED))
        found.append(fused / tiles)
    return statistics.mean(found)


def _with_backward(backend: Any, call: Call) -> float:
    """How many times longer forward and backward take than forward."""
    upstream = torch.ones_like(call.query)

    def both() -> None:
        torch.autograd.grad(backend.run(call), (call.query, call.key, call.value), upstream)

    def forward() -> None:
        with torch.no_grad():
            backend.run(call)

    both()  # whatever is to be compiled is, then
    return seconds_of(both) / seconds_of(forward)
