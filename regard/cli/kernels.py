"""Which kernels serve which calls here: the planner is asked, and each choice is tried out."""

from typing import Any

import torch

from regard._attention import attention, plan
from regard.masks import Causal, Padding, SlidingWindow
from regard.normalizers import sparsemax
from regard.scores import Additive

SHAPE = (1, 2, 512, 64)
"""Batch, heads, length and head width of the calls that are tried."""


def devices() -> list[dict[str, Any]]:
    """The devices that PyTorch can use, the CPU first."""
    found: list[dict[str, Any]] = [
        {
            "name": "cpu",
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        }
    ]
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        found.append(
            {
                "name": f"cuda:{number}",
                "model": about.name,
                "capability": f"{about.major}.{about.minor}",
                "memory": about.total_memory,
                "bf16": torch.cuda.is_bf16_supported(),
            }
        )
    if torch.backends.mps.is_available():
        found.append({"name": "mps"})
    return found


def process_groups() -> dict[str, bool]:
    """Which ways for processes to talk this PyTorch was built with."""
    there = torch.distributed.is_available()
    return {
        "gloo": there and torch.distributed.is_gloo_available(),
        "nccl": there and torch.distributed.is_nccl_available(),
    }


def kernels(device: str) -> list[dict[str, Any]]:
    """For each of some typical calls, the backend that serves it, who else could, and if it works.

    `error` is None where the call ran and gave finite numbers, forward and backward.
    """
    return [_tried(name, parts, device) for name, parts in _calls(device).items()]


def _calls(device: str) -> dict[str, dict[str, Any]]:
    batch, _, length, width = SHAPE
    lengths = torch.full((batch,), length // 2, device=device)
    return {
        "plain": {},
        "causal": {"mask": Causal()},
        "window": {"mask": Causal() & SlidingWindow(16)},
        "padding": {"mask": Padding(lengths)},
        "additive": {"score": Additive(width, width, width).to(device)},
        "sparsemax": {"normalizer": sparsemax},
    }


def _tried(name: str, parts: dict[str, Any], device: str) -> dict[str, Any]:
    told: dict[str, Any] = {"call": name, "backend": None, "also": [], "error": None}
    try:
        drawn = torch.Generator().manual_seed(0)
        query = torch.randn(SHAPE, generator=drawn).to(device).requires_grad_()
        chosen = plan(query, query, query, **parts)
        told |= {"backend": chosen.backend, "also": _able(chosen)}
        output = attention(query, query, query, **parts)
        (gradient,) = torch.autograd.grad(output.sum(), query)
        if not (output.isfinite().all() and gradient.isfinite().all()):
            told["error"] = "it gave numbers that are not finite"
    except Exception as error:  # a broken installation may raise anything at all
        told["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    return told


def _able(chosen: Any) -> list[str]:
    """The other backends that could have served; only those have a cost in a plan."""
    return [name for name in chosen.costs if name not in (chosen.backend, "reference")]
