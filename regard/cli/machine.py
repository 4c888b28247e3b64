"""What this computer is: read from the system, asking PyTorch as little as possible."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CORE = ("torch", "numpy", "safetensors", "einops", "jaxtyping", "rich")
EXTRAS = {
    "cpu": ("numba",),
    "train": ("datasets", "tokenizers", "sacrebleu", "rouge-score", "charset-normalizer"),
    "excel": ("openpyxl",),
    "demo": ("babel",),
    "image": ("pillow",),
    "plot": ("matplotlib",),
    "serve": ("starlette", "uvicorn"),
    "notebook": ("anywidget",),
    "hub": ("huggingface_hub",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
}
FLAGS = ("avx", "avx2", "avx512f", "avx512_bf16", "amx_bf16", "avx512_fp16", "neon", "asimd")


def versions() -> dict[str, str | None]:
    """The versions of Python, of regard and of what it cannot do without; None if not installed."""
    found = {"regard": getattr(sys.modules.get("regard"), "__version__", None)}
    return found | {"python": platform.python_version()} | {name: _version(name) for name in CORE}


def broken() -> dict[str, str]:
    """The core packages that are installed and still cannot be imported, with the reason."""
    failed = {}
    for name in CORE:
        try:
            import_module(name)
        except Exception as error:  # a broken package may raise anything at all
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    return failed


def extras() -> dict[str, str]:
    """For each optional extra, the versions installed or the line that installs it."""
    return {extra: _extra(extra, names) for extra, names in EXTRAS.items()}


def cpu() -> dict[str, Any]:
    """Model, cores that this process may use, and the vector instructions."""
    lines = _read("/proc/cpuinfo").splitlines()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (told.get("flags") or told.get("Features") or "").split()
    return {
        "model": told.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "flags": [flag for flag in FLAGS if flag in flags],
    }


def usable_cores() -> int:
    """How many cores this process may run on."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def memory() -> dict[str, int]:
    """Bytes of memory: total, available, and the limit of the container if there is one."""
    found = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            found["total" if name == "MemTotal" else "available"] = int(rest.split()[0]) * 1024
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    return found | ({"limit": int(limit)} if limit.isdigit() else {})


def disk() -> dict[str, Any]:
    """The current folder, the bytes free there, and whether it can be written."""
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    return {"folder": str(here), "free": free, "writable": os.access(here, os.W_OK)}


def compilers() -> dict[str, str | None]:
    """The C++ compiler that `torch.compile` needs on a CPU, and Triton, which it needs on a GPU."""
    return {
        "c++": shutil.which(os.environ.get("CXX", ""))
        or shutil.which("g++")
        or shutil.which("c++"),
        "triton": _version("triton"),
    }


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is loaded, whatever PyTorch thinks of it."""
    return Path("/proc/driver/nvidia/version").exists()


def _extra(extra: str, names: tuple[str, ...]) -> str:
    found = {name: _version(name) for name in names}
    if None in found.values():
        return f'not installed; pip install "regard[{extra}]"'
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
