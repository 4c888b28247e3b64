"""`regard doctor`: what is installed and working here, and what would run where."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from json import dumps
from typing import Any

from regard.cli import machine

LEAST_TORCH = (2, 10)


def run(json: bool) -> int:
    """Print what was found, or one JSON object; returns 1 when something essential is broken."""
    found = examine()
    print(dumps(found, default=str) if json else doctor_text(found))
    return 1 if any(problem["essential"] for problem in found["problems"]) else 0


def examine() -> dict[str, Any]:
    """All there is to say about this installation; a probe that fails becomes a problem."""
    failures: dict[str, str] = {}

    def probe(name: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:  # a sick installation may raise anything; we report it
            failures[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            return None

    # PyTorch is only asked through this module, so that a broken one is a finding and no crash.
    def kernels() -> Any:
        return import_module("regard.cli.kernels")

    found = {
        "versions": probe("versions", machine.versions),
        "broken": probe("broken", machine.broken),
        "extras": probe("extras", machine.extras),
        "cpu": probe("cpu", machine.cpu),
        "memory": probe("memory", machine.memory),
        "disk": probe("disk", machine.disk),
        "compilers": probe("compilers", machine.compilers),
        "devices": probe("devices", lambda: kernels().devices()),
        "distributed": probe("distributed", lambda: kernels().process_groups()),
    }
    device = "cuda:0" if len(_accelerators(found)) else "cpu"
    found["kernels"] = probe("kernels", lambda: kernels().kernels(device))
    return found | {"problems": problems(found, failures)}


def problems(found: Mapping[str, Any], failures: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is wrong, each with its fix; `essential` where nothing works without it."""
    said = [
        _problem(f"the probe of {name} failed: {why}", "report it with this output", False)
        for name, why in failures.items()
        if name not in ("devices", "distributed", "kernels")
    ]
    for name, number in (found["versions"] or {}).items():
        if number is None and name != "regard":
            said.append(_problem(f"{name} is not installed", f"pip install {name}", True))
        elif name in (found["broken"] or {}):
            fix = f"pip install --force-reinstall {name}"
            said.append(_problem(f"{name} is broken: {found['broken'][name]}", fix, True))
    number = (found["versions"] or {}).get("torch")
    if number is not None and _release(number) < LEAST_TORCH:
        said.append(_problem(f"PyTorch {number} is too old", 'pip install "torch>=2.10"', True))
    if not said and "kernels" in failures:
        fix = 'pip install --force-reinstall "regard"'
        said.append(_problem(f"regard cannot attend: {failures['kernels']}", fix, True))
    for tried in found["kernels"] or []:
        if tried["error"]:
            what = f"{tried['call']} attention on {tried['backend']} fails: {tried['error']}"
            fix = 'pip install --upgrade "torch>=2.10"; if it stays, report it'
            said.append(_problem(what, fix, tried["call"] == "plain"))
    return said + _of_the_machine(found)


def _of_the_machine(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    said = []
    compilers, disk, memory = (found[name] or {} for name in ("compilers", "disk", "memory"))
    if not compilers.get("c++"):
        fix = "install g++ (apt install g++); all but torch.compile works without"
        said.append(_problem("there is no C++ compiler for torch.compile", fix, False))
    if disk and not disk["writable"]:
        fix = "give --out a folder elsewhere"
        said.append(_problem(f"{disk['folder']} cannot be written", fix, False))
    if disk and disk["free"] < 2e9:
        what = f"only {_bytes(disk['free'])} are free at {disk['folder']}"
        said.append(_problem(what, "make room; a run keeps several checkpoints", False))
    if memory.get("available", 4e9) < 1e9:
        what = f"only {_bytes(memory['available'])} of memory are free"
        said.append(_problem(what, "close programs, or train with a smaller batch", False))
    usable, threads = (found["cpu"] or {}).get("usable_cores", 1), _threads(found)
    if threads is not None and threads < usable:
        fix = f"unset OMP_NUM_THREADS, or set it to {usable}"
        said.append(_problem(f"PyTorch uses {threads} of {usable} cores", fix, False))
    if machine.has_nvidia_driver() and found["devices"] and not _accelerators(found):
        fix = "install a CUDA build of PyTorch: https://pytorch.org/get-started/locally"
        said.append(_problem("there is an NVIDIA driver, but PyTorch sees no GPU", fix, False))
    return said


def doctor_text(found: Mapping[str, Any]) -> str:
    """The findings as a reader wants them.

    >>> print(doctor_text({"memory": {"total": 8_000_000_000}, "problems": []}))
    memory
      total  8 GB
    <BLANKLINE>
    no problem found
    """
    parts = []
    for name, value in found.items():
        if name in ("broken", "problems") or not value:
            continue
        rows = value if isinstance(value, list) else list(value.items())
        parts.append("\n".join([name, *_aligned([_row(row) for row in rows])]))
    told = found["problems"]
    for problem in told:
        grade = "problem" if problem["essential"] else "note"
        parts.append(f"{grade}: {problem['what']}\n  fix: {problem['fix']}")
    if not told:
        parts.append("no problem found")
    return "\n\n".join(parts)


def _row(row: Any) -> tuple[str, str]:
    if isinstance(row, tuple):
        return row[0].replace("_", " "), _value(row[0], row[1])
    if "call" in row:
        also = f" (also {', '.join(row['also'])})" if row["also"] else ""
        works = f"fails: {row['error']}" if row["error"] else "works"
        return row["call"], f"{row['backend'] or '?'} {works}{also}"
    rest = [f"{key} {_value(key, value)}" for key, value in row.items() if key != "name"]
    return row["name"], ", ".join(rest)


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("total", "available", "limit", "free", "memory"):
        return _bytes(value)
    if isinstance(value, list):
        return " ".join(map(str, value)) or "–"
    return "not found" if value is None else str(value)


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    margin = max(len(name) for name, _ in rows)
    return [f"  {name:{margin}}  {value}" for name, value in rows]


def _problem(what: str, fix: str, essential: bool) -> dict[str, Any]:
    return {"what": what, "fix": fix, "essential": essential}


def _accelerators(found: Mapping[str, Any]) -> list[Any]:
    return [device for device in found["devices"] or [] if device["name"].startswith("cuda")]


def _threads(found: Mapping[str, Any]) -> int | None:
    return next((d["threads"] for d in found["devices"] or [] if d["name"] == "cpu"), None)


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _bytes(number: int | float) -> str:
    return f"{number / 1e9:.3g} GB"
