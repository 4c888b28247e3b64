"""How fast a device does what backends are made of: measured, and kept as a literal table.

`python -m benchmarks.rates` takes the numbers anew on any machine, and says how often the planner
then picks the backend that really is the fastest.
"""

from dataclasses import dataclass

import torch

from regard._backends._call import Call
from regard._backends._rewriting import AS_THEY_ARE


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

    def seconds(
        self, steps: int, *, fused: float = 0, scores: int = 0, matmul: int = 0, numbers: int = 0
    ) -> float:
        """How long so many steps take, and so much work that all threads share."""
        work = fused / self.fused + scores / self.scores
        work += matmul / self.matmul + numbers / self.numbers
        return steps * self.step + work / torch.get_num_threads()


# One thread of an AMD EPYC (AVX2), PyTorch 2.13, 2026-11-29.
RATES: dict[tuple[str, torch.dtype], Rates] = {
    ("cpu", torch.float32): Rates(5.18e-06, 7.38e10, 1.88e09, 7.08e10, 1.65e09, 4.37),
    ("cpu", torch.float64): Rates(5.15e-06, 2.13e10, 7.41e08, 2.85e10, 9.26e08, 2.2),
    ("cpu", torch.bfloat16): Rates(5.31e-06, 9.5e10, 1.21e09, 8.57e10, 1.51e09, 41.6),
    ("cpu", torch.float16): Rates(5.4e-06, 4.39e10, 6.25e08, 8.77e10, 1.62e09, 35.5),
}

# Steps, and numbers written for a score, of normalizers that take longer than softmax.
NORMALIZING = {"sparsemax": (140, 23), "Entmax": (200, 30)}
SOFTMAX = (15, 6)

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
    return RATES.get((call.query.device.type, kernel_dtype(call)))


def kernel_dtype(call: Call) -> torch.dtype:
    """The dtype of a call's products: what is rewritten, or has a bias added, is not rounded."""
    is_plain = type(call.score) in AS_THEY_ARE and call.score_mod is None
    return call.query.dtype if is_plain else call.exact


def normalizing(normalizer: object) -> tuple[int, int]:
    """Steps of a normalizer, and numbers it writes for a score."""
    name = getattr(normalizer, "__name__", type(normalizer).__name__)
    return NORMALIZING.get(name, SOFTMAX)


def projecting(score: object) -> int:
    """Steps of a score before it pairs queries with keys."""
    return PROJECTING.get(type(score).__name__, UNIT_VECTORS)
