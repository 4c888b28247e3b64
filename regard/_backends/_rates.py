"""How fast a device does what backends are made of: measured, and kept as a literal table.

`python -m benchmarks.rates` takes the numbers anew on any machine, and says how often the planner
then picks the backend that really is the fastest. `regard bench --tune` measures a machine's own
(`_tuning.py`), which are used there instead (`_machine.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from math import inf

import torch

from regard._backends import _machine
from regard._backends._call import Call
from regard._backends._rewriting import AS_THEY_ARE
from regard._torch_private import constant_when_compiled
from regard.normalizers import Entmax


@dataclass(frozen=True)
class Rates:
    """How long one step takes, and what one thread does in a second."""

    step: float
    """Seconds from one tensor operation to the next, however small the tensors."""
    fused: float
    """FLOP/s of the two products inside PyTorch's SDPA kernel."""
    scores: float
    """Scores a second that this kernel makes weights of, or adds a mask to."""
    matmul: float
    """FLOP/s of a batched matrix product."""
    numbers: float
    """Numbers a second that an elementwise operation writes."""
    together: float
    """Queries that are multiplied at once: inside the SDPA kernel, fewer take as long."""
    tiles: float = 0.0
    """FLOP/s of the products in our own loops (`tiles.py`); 0 where they were not measured."""
    turned: float = 0.0
    """Numbers of queries and outputs a second that these loops transpose; 0 if that is free."""
    training: float = 1.0
    """How many times more a backward pass adds to the time of PyTorch's kernel than to theirs."""

    @property
    def has_faster_tiles(self) -> bool:
        """Whether the products of our own loops are faster than those of PyTorch's kernel."""
        return self.tiles > self.fused

    def seconds(
        self, steps: int, *, fused: float = 0, scores: int = 0, matmul: int = 0, numbers: int = 0,
        tiles: float = 0, turned: float = 0,
    ) -> float:  # fmt: skip
        """How long so many steps take, and so much work that all threads share."""
        work = fused / self.fused + scores / self.scores
        work += matmul / self.matmul + numbers / self.numbers
        if tiles:
            work += tiles / self.tiles + turned / (self.turned or inf) if self.tiles else inf
        return steps * self.step + work / torch.get_num_threads()


# One thread of each kind of processor, PyTorch 2.13.
RATES: dict[str, dict[torch.dtype, Rates]] = {
    "AuthenticAMD AVX2": {  # an EPYC, 2026-11-29
        torch.float32: Rates(5.18e-06, 7.38e10, 1.88e09, 7.08e10, 1.65e09, 4.37),
        torch.float64: Rates(5.15e-06, 2.13e10, 7.41e08, 2.85e10, 9.26e08, 2.2),
        torch.bfloat16: Rates(5.31e-06, 9.5e10, 1.21e09, 8.57e10, 1.51e09, 41.6),
        torch.float16: Rates(5.4e-06, 4.39e10, 6.25e08, 8.77e10, 1.62e09, 35.5),
    },
    "AuthenticAMD AVX512": {  # an EPYC, 2026-11-30
        torch.float32: Rates(1.66e-06, 1.09e11, 2.13e09, 9.66e10, 2.79e09, 3.91, 3.21e11, 6.42e09),
        torch.float64: Rates(1.61e-06, 4.8e10, 8.36e08, 4.26e10, 1.79e09, 1.94, 0.0),
        torch.bfloat16: Rates(1.66e-06, 1.02e11, 1.91e09, 1.08e11, 2.84e09, 29.2, 4.25e11, 8.5e09),
        torch.float16: Rates(1.61e-06, 5.46e10, 6.37e08, 1.07e11, 2.56e09, 27.5, 4.54e11, 9.08e09),
    },
    "GenuineIntel AVX2": {  # the Xeon below, held to AVX2
        torch.float32: Rates(
            2.7e-06, 7.52e10, 2.48e09, 8.01e10, 1.45e09, 4.22, 7.79e10, 1.48e09, 1.01
        ),
        torch.float64: Rates(2.6e-06, 3.63e10, 9.31e08, 3.77e10, 9.07e08, 5.51),
        torch.bfloat16: Rates(
            2.71e-06, 9.27e10, 1.24e09, 8.02e10, 1.29e09, 33.3, 7.62e10, 0.0, 4.62
        ),
        torch.float16: Rates(2.82e-06, 8.1e10, 1.46e09, 8.06e10, 1.3e09, 12.7, 7.46e10, 0.0, 10.1),
    },
    "GenuineIntel AVX512": {  # a Xeon without AMX, 2026-11-30
        torch.float32: Rates(
            2.8e-06, 1.64e11, 2.26e09, 1.39e11, 1.58e09, 12.6, 1.58e11, 9.85e08, 1.1
        ),
        torch.float64: Rates(2.68e-06, 7.38e10, 9.06e08, 7.03e10, 9.77e08, 10.9),
        torch.bfloat16: Rates(
            2.82e-06, 8.58e10, 2.57e09, 1.55e11, 1.29e09, 3.01, 1.56e11, 6.23e09, 1.24
        ),
        torch.float16: Rates(
            2.93e-06, 1.56e11, 1.79e09, 1.26e11, 1.36e09, 18.7, 1.58e11, 3.77e09, 1.36
        ),
    },
    "GenuineIntel AVX512 AMX": {  # a Xeon, 2026-11-30
        torch.float32: Rates(3.27e-06, 1.28e11, 3.78e09, 1.31e11, 1.61e09, 13.7, 1.12e11, 2.24e09),
        torch.float64: Rates(3.82e-06, 6.43e10, 8.39e08, 6.52e10, 8.04e08, 13.4),
        torch.bfloat16: Rates(
            4.39e-06, 3.59e12, 2.13e09, 1.28e11, 1.34e09, 140.0, 1.46e11, 2.92e09
        ),
        torch.float16: Rates(4.06e-06, 1.35e11, 2.29e09, 1.16e11, 1.28e09, 18.7, 1.33e11, 2.66e09),
    },
}
OTHERWISE = "AuthenticAMD AVX2"
"""Whose rates those are of a processor of a kind that nobody measured."""
UNMEASURED = 0.5
"""Of the rate of PyTorch's kernel: what float32 products in our own loops are taken to reach on a
processor with AVX where nobody measured them; where somebody did, it is 0.9 to 2.9 times that rate.
It is enough where PyTorch's kernel computes what a mask hides, or has a bias or dropped weights
written out, and never for plain softmax."""

# Steps, and numbers written for a score, of normalizers that take longer than softmax.
NORMALIZING = {"sparsemax": (140, 12), "Entmax": (200, 15)}
SOFTMAX, POWERS = (15, 6), (400, 80)
"""Of softmax; and of entmax where each weight is a power, in each step of a search."""

# Steps before queries and keys are paired, of scores that take fewer than unit vectors do.
PROJECTING = {
    "Dot": 0,
    "ScaledDot": 0,
    "Bilinear": 2,
    "Location": 2,
    "FeatureMapDot": 5,
    "Projected": 0,
}
UNIT_VECTORS = 16


def rates_of(call: Call) -> Rates | None:
    """The rates for a call; None where none were measured.

    That is so on other devices and in a recorded graph, whose steps cost something else, or which
    serves lengths that are not known yet.
    """
    if torch.compiler.is_compiling():
        return None
    for tensor in (call.query, call.key, call.value):
        if type(tensor.numel()) is not int:
            return None
    if call.query.device.type != "cpu":
        return None
    return rates_of_cpu().get(kernel_dtype(call))


@cache
def rates_of_cpu() -> Mapping[torch.dtype, Rates]:
    """This machine's own rates, else those of its kind, else of another, its loops a guess."""
    own = _machine.measured(tuple(field.name for field in fields(Rates)))
    if own:
        return {
            getattr(torch, dtype): Rates(**{name: float(one[name]) for name in one})
            for dtype, one in own.items()
        }
    kind = _machine.kind()
    if (known := RATES.get(kind)) is None:
        known = {dtype: replace(one, tiles=0.0) for dtype, one in RATES[OTHERWISE].items()}
    plain = known[torch.float32]
    if not plain.tiles and "AVX" in kind:
        tiles = UNMEASURED * plain.fused
        known = {**known, torch.float32: replace(plain, tiles=tiles, turned=tiles / 50)}
    return known


@constant_when_compiled
def has_faster_tiles(dtype: torch.dtype) -> bool:
    """Whether the products of our own loops are faster here than those of PyTorch's kernel."""
    rates = rates_of_cpu().get(dtype)
    return rates is not None and rates.has_faster_tiles


def kernel_dtype(call: Call) -> torch.dtype:
    """The dtype of a call's products: what is rewritten, or has a bias added, is not rounded."""
    is_plain = type(call.score) in AS_THEY_ARE and call.score_mod is None
    return call.query.dtype if is_plain else call.exact


def normalizing(normalizer: object) -> tuple[int, int]:
    """Steps of a normalizer, and numbers it writes for a score."""
    if type(normalizer) is Entmax and 1.0 < normalizer.alpha < 2.0 and normalizer.alpha != 1.5:
        return POWERS
    name = getattr(normalizer, "__name__", type(normalizer).__name__)
    return NORMALIZING.get(name, SOFTMAX)


def projecting(score: object) -> int:
    """Steps of a score before it pairs queries with keys."""
    return PROJECTING.get(type(score).__name__, UNIT_VECTORS)
