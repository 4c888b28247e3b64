"""The outputs of an exported file, compared with the network's."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from regard._io.extra import extra

Answers = Callable[[tuple[Tensor, ...]], Tensor]


def reopened(form: str, path: Path, names: list[str]) -> Answers:
    """The exported program, callable with a batch of tensors of these names.

    Raises `ImportError` if nothing is installed that can run it.
    """
    if form == "torch-export":
        module = torch.export.load(path).module()
        return lambda batch: module(*batch)
    runtime = extra("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = [each.name for each in session.get_inputs()]

    def run(batch: tuple[Tensor, ...]) -> Tensor:
        fed = dict(zip(names, (tensor.numpy() for tensor in batch), strict=True))
        return torch.from_numpy(session.run(None, {name: fed[name] for name in taken})[0])

    return run


def differences(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """The largest difference, and its ratio to the largest expected number.

    Infinities and NaNs must be in the same places.

    >>> apart, share = differences(torch.tensor([1.0, 3.5]), torch.tensor([1.0, 4.0]))
    >>> apart, share
    (0.5, 0.125)
    """
    if found.shape != wanted.shape:
        return float("inf"), float("inf")
    same = (found == wanted) | (found.isnan() & wanted.isnan())
    apart = (
        (found.double() - wanted.double())
        .abs()
        .masked_fill(same, 0.0)
        .nan_to_num(torch.inf, torch.inf)
    )
    greatest = wanted.double().abs().masked_fill(~wanted.isfinite(), 0.0)
    worst = float(apart.max()) if apart.numel() else 0.0
    return worst, worst / max(float(greatest.max()) if greatest.numel() else 0.0, 1e-12)
