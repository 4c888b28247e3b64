"""Speed, memory and error of any mechanisms at any sizes, on this machine."""

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from json import dumps
from typing import Any

import torch

from regard._backends._machine import identity
from regard.benching.floor import measured
from regard.benching.measuring import Row, rows_at
from regard.benching.mechanism import Mechanism, combined
from regard.benching.sizes import Sizes

LENGTHS = (512, 1024, 2048)
SECONDS = 20.0
USUAL = ("scaled_dot", "causal", "causal & sliding_window(128)", "sparsemax", "entmax", "additive")
"""The mechanisms measured by default."""


@dataclass(frozen=True)
class Bench:
    """The measurements: rows, sizes, the machine, and the rates behind its lower bound."""

    rows: list[Row]
    sizes: dict[str, Any]
    machine: dict[str, Any]
    limits: dict[str, float]

    def __str__(self) -> str:
        from regard.benching.table import as_text

        return as_text(self)

    def json(self) -> str:
        """All of it as one JSON object."""
        return dumps(asdict(self), indent=1)

    def svg(self) -> str:
        """Time and memory over length, as a self-contained SVG."""
        from regard.benching.chart import svg

        return svg(self)


def bench(
    *mechanisms: str | Mechanism,
    lengths: Iterable[int] = LENGTHS,
    sizes: Sizes = Sizes(),
    backward: bool = False,
    seconds: float = SECONDS,
) -> Bench:
    """Measure mechanisms at these lengths: seconds, bytes, error, and the lower bound of time.

    Each is compared with float64 before it is timed, and one that is wrong is not timed. Timings
    of all mechanisms of a length and their baselines alternate, so that temporary load on the
    machine affects all of them.

    Args:
        mechanisms: names of parts joined by `+`, such as `"additive + causal"`, optionally with a
            backend (`"entmax on chunked"`), or a block's name.
        lengths: keys of a call, and queries unless `sizes` gives them.
        backward: measure forward and backward together, too.
        seconds: total time to measure; calls that would exceed it are skipped and reported.

    Raises:
        ValueError: unknown names, invalid sizes.

    Example:
        >>> import regard
        >>> from regard.benching.sizes import Sizes
        >>> small = Sizes(heads=2, width=8)
        >>> found = regard.bench("causal", "sparsemax", lengths=[16], sizes=small, seconds=0.1)
        >>> [(row.mechanism, row.backend, row.wrong) for row in found.rows]
        [('causal', 'sdpa', False), ('sparsemax', 'chunked', False)]
    """
    chosen = [one if isinstance(one, Mechanism) else Mechanism.of(one) for one in mechanisms]
    chosen = chosen or combined(USUAL)
    lengths = list(dict.fromkeys(lengths))
    if not lengths:
        raise ValueError("there is no length to measure at: give some, such as lengths=[512]")
    for length in lengths:
        sizes.require_length(length)
    limits = measured(sizes.torch_dtype, sizes.device)
    rows = []
    for length in lengths:
        share = seconds * length / sum(lengths)
        rows += rows_at(chosen, sizes, length, backward, share, limits)
    return Bench(rows, asdict(sizes), _machine(sizes), asdict(limits))


def _machine(sizes: Sizes) -> dict[str, Any]:
    """What the numbers were taken on, and how busy it was."""
    device = sizes.device
    name = identity()["cpu"] if device == "cpu" else torch.cuda.get_device_name(device)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "date": date.today().isoformat(),
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": load,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
