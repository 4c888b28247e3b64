"""Rates that were measured on this very machine, where somebody asked for that (`_tuning.py`)."""

import hashlib
import math
import os
import platform
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch

from regard._io.files import read_file, write_whole
from regard._io.manifest import seal, unseal

Numbers = Mapping[str, Mapping[str, float]]
"""For each dtype's name the numbers of its rates, by name."""


@cache
def kind() -> str:
    """Processors of one kind have similar rates: the maker, the vectors, and units for matrices."""
    vendor = _told("vendor_id") or platform.machine()
    units = " AMX" if "amx_bf16" in _told("flags").split() else ""
    return f"{vendor} {torch.backends.cpu.get_cpu_capability()}{units}"


@cache
def identity() -> dict[str, object]:
    """What the rates of a machine depend on."""
    model = _told("model name") or platform.processor() or platform.machine()
    return {
        "cpu": model,
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "threads": os.cpu_count() or 1,
        "torch": torch.__version__,
    }


def where() -> Path:
    """The file of this machine's rates, in `$REGARD_CACHE` or in the cache folder of the user.

    Its name says which machine it is, so that machines that share a folder have one each.
    """
    own, common = os.environ.get("REGARD_CACHE"), os.environ.get("XDG_CACHE_HOME")
    folder = Path(own) if own else Path(common or Path.home() / ".cache") / "regard"
    digest = hashlib.sha256(repr(sorted(identity().items())).encode()).hexdigest()
    return folder / f"rates-{digest[:12]}.json"


def keep(rates: Numbers) -> Path:
    """Write the rates of this machine.

    Raises `OSError` where the folder cannot be written.
    """
    path = where()
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {name: dict(one) for name, one in rates.items()}
    write_whole(path, seal({"machine": identity(), "rates": numbers}))
    return path


def measured(names: tuple[str, ...]) -> Numbers:
    """The rates of these names on this machine; empty where there are none, or not all of them."""
    try:
        path = where()
        content = read_file(path)
    except (FileNotFoundError, RuntimeError):  # no file, or a user without a home
        return {}
    except (OSError, ValueError) as error:
        return _not_read(str(error))
    try:
        entries = unseal(content)
        if entries["machine"] != identity():
            return _not_read("it is of another machine")
        return _checked(entries["rates"], names)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _not_read("it is damaged")


def _checked(rates: Numbers, names: tuple[str, ...]) -> Numbers:
    """The same, if they are numbers that a duration can be computed from, of dtypes that are."""
    for dtype, one in rates.items():
        numbers = [one[name] for name in names]
        if not isinstance(getattr(torch, dtype), torch.dtype) or len(one) != len(names):
            raise ValueError("it is of another version")
        if not all(type(x) in (int, float) and math.isfinite(x) and x >= 0 for x in numbers):
            raise ValueError("a rate is no number")
    return rates


def _not_read(why: str) -> Numbers:
    warnings.warn(
        f"the rates of this machine in {where()} are not used, because {why}: measure them again "
        "with regard bench --tune, or delete the file.",
        stacklevel=2,
    )
    return {}


def _told(name: str) -> str:
    """What Linux says of the first processor under a name; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((one.split(":", 1)[1].strip() for one in lines if one.startswith(name)), "")
