"""How fast is this machine at what backends are made of, and does the planner then choose well?

Every backend that serves a call is timed on it, for calls of many lengths, windows, scores and
normalizers. The rates of `regard/_backends/_rates.py` are the numbers that predict these times
best; each choice, made with the rates that stand there, is held against the fastest backend. One
thread is measured, by its own clock, so that what else runs on the machine hardly counts.

    python -m benchmarks.rates [--dry-run]
"""

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, astuple
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.measure import save
from regard._backends import _machine, _plan
from regard._backends._call import Call
from regard._backends._rates import Rates, rates_of
from regard._backends._tuning import DTYPES, Timed, call_of, fitted, timed
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import divide_by_sum, sparsemax
from regard.score_mods import ALiBi
from regard.scores import Cosine, FeatureMapDot, NegativeSquaredDistance

SHAPES = ((1, 2, 16), (1, 8, 64), (8, 4, 32), (1, 4, 128))  # batch, heads, width
LENGTHS = (8, 32, 64, 128, 192, 256, 512, 1024, 2048)
MOST = 1 << 24  # scores of a call
NEAR = 1.1  # times the fastest: such a choice counts as right

Parts = dict[str, dict[str, Any]]


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
                yield name, call_of(q, k, v, **parts)
            for name, parts in _windows(length).items():
                yield f"one query, {name}", call_of(q[:, :, -1:], k, v, **parts)


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


def believed(rows: list[Timed], dtype: torch.dtype) -> Iterator[dict[str, object]]:
    """How far off what is predicted of each backend is, chosen or not, as a median and a tenth."""
    for name in _plan.BACKENDS:
        found = sorted(_errors([row for row in rows if name in row.seconds], name))
        if found:
            tenth = len(found) // 10
            yield {
                "what": f"every call on {name}", "dtype": str(dtype)[6:], "calls": len(found),
                "predicted_over_measured": round(statistics.median(found), 3),
                "a_tenth_is_below": round(found[tenth], 3),
                "a_tenth_is_above": round(found[-1 - tenth], 3),
            }  # fmt: skip


def _errors(rows: list[Timed], name: str | None = None) -> list[float]:
    """What is predicted over what is measured, of a backend or of the chosen ones."""
    return [
        _plan.BACKENDS[one].seconds(row.call, rates) / row.seconds[one]
        for row in rows
        if (one := name or row.chosen) and (rates := rates_of(row.call)) is not None
    ]


def show(rates: dict[str, Rates], rows: list[dict[str, object]]) -> None:
    """Print the rates as lines of the table they belong into, and how the choices went."""
    print(f'    "{_machine.kind()}": {{')
    for dtype, one in rates.items():
        numbers = ", ".join(f"{number:.3g}" for number in astuple(one))
        print(f"        torch.{dtype}: Rates({numbers}),")
    print("    },")
    table = Table("what", "dtype", "right of", "calls", "slowdown", "worst", "predicted/measured")
    for row in rows:
        names = ("what", "dtype", "right", "calls", "mean_slowdown", "worst_slowdown")
        table.add_row(*(str(row.get(name, "")) for name in (*names, "predicted_over_measured")))
    Console().print(table)


def main() -> None:
    """Measure, fit and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rates, rows = {}, []
    for dtype in DTYPES:
        found = list(timed(dtype, calls(dtype)))
        rates[str(dtype)[6:]] = fitted(found, dtype)
        rows += [*judged(found, dtype), *believed(found, dtype)]
    show(rates, rows)
    if not options.dry_run:
        kept = {dtype: asdict(one) for dtype, one in rates.items()}
        name = f"rates_{_machine.kind().lower().replace(' ', '_')}"
        print(f"written to {save(name, rows, rates=kept)}")


if __name__ == "__main__":
    main()
