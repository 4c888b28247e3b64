"""Exporting a trained network for other programs: ONNX, a PyTorch program, or its weights."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regard._io.extra import extra
from regard._io.faults import reason
from regard.errors import UsageError
from regard.models.protocols import StartsLinear
from regard.run.export_check import differences, reopened
from regard.run.export_note import write_note
from regard.run.loading import load_predictor
from regard.run.plain import PlainNetwork, examples, inputs_of
from regard.tasks.predictor import Predictor

FORMATS = {"onnx": "model.onnx", "torch-export": "model.pt2", "safetensors": "model"}
"""The formats, and the file or folder name of each."""
CLOSE = 1e-4
"""The largest difference of an exported program, relative to its largest output."""


@dataclass(frozen=True)
class Exported:
    """What was exported, and how far its outputs are from those of the network.

    Args:
        path: the file, or the folder of weights.
        form: `onnx`, `torch-export` or `safetensors`.
        difference: the largest between two outputs; None if nothing was compared.
        relative: the same relative to the largest output.
        compared: number of batches compared.
        unchecked: why nothing was compared, "" if something was.
    """

    path: Path
    form: str
    difference: float | None = None
    relative: float | None = None
    compared: int = 0
    unchecked: str = ""

    @property
    def is_close(self) -> bool:
        """Whether the outputs are equal up to rounding, as far as they were compared."""
        return self.relative is None or self.relative <= CLOSE


def export(
    predictor: Predictor, source: Path, form: str, out: Path | None = None, check: bool = True
) -> Exported:
    """Export the network of a model folder, and compare the outputs.

    Next to a program are `FILE.json`, which describes its inputs and outputs, and the folder
    `NAME-files` with the tokens and labels of the task (see `regard.run.export_note`).

    Args:
        source: the model folder.
        out: the file; in the run's folder `export` if None.
        check: run the exported program on examples of several lengths and batch sizes.

    Raises `UsageError` for a network that cannot be exported, naming the part, and for a file that
    already exists; `ImportError` without the packages that a format needs.
    """
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")
    path = _place(source, form, out)
    if form == "safetensors":
        return _copied(predictor, source, path, check)
    if form == "onnx":
        for name in ("onnx", "onnxscript"):
            extra(name)
    network = predictor.model.eval()
    inputs = inputs_of(network, predictor.coder.sizes)
    plain, tried = PlainNetwork(network, inputs), list(examples(inputs, _end(predictor)))
    _require_settled(plain, tried[0])
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        _write(plain, form, tried, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    write_note(path, form, predictor, inputs)
    if not check:
        return Exported(path, form, unchecked="--no-check")
    try:
        answers = reopened(form, path, [name for each in inputs for name in each.names])
    except ImportError as error:
        return Exported(path, form, unchecked=str(error))
    with torch.no_grad():
        apart = [differences(answers(batch), plain(*batch)) for batch in tried]
    worst, relative = (max(numbers) for numbers in zip(*apart, strict=True))
    return Exported(path, form, worst, relative, len(tried))


def _place(source: Path, form: str, out: Path | None) -> Path:
    """Where it is written; what was exported there by default before is replaced."""
    if out is not None:
        if out.exists():
            raise UsageError(f"{out} exists already; remove it, or name another with --out")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {reason(error)}") from None
        return out
    run = source.parent if source.name == "best" else source
    (run / "export").mkdir(exist_ok=True)
    return run / "export" / FORMATS[form]


def _end(predictor: Predictor) -> int | None:
    """The number that ends sentences, of networks that read documents or stories."""
    end = getattr(getattr(predictor.model, "config", None), "end", None)
    return end if isinstance(end, int) else None


@torch.no_grad()
def _require_settled(plain: PlainNetwork, batch: Sequence[Tensor]) -> None:
    """Raise `UsageError` for a network that is not done learning, or draws when it answers."""
    network: Any = plain.network
    if isinstance(network, StartsLinear) and float(network.linear) > 0:
        raise UsageError(
            f"{type(network).__name__} is still in its linear start, without the softmax that it "
            "is to have; train it further (--epochs), then export"
        )
    if not torch.equal(plain(*batch), plain(*batch)):
        raise UsageError(
            f"{type(network).__name__} draws at random when it answers, so no exported program "
            "can be compared with it"
        )


@torch.no_grad()
def _write(plain: PlainNetwork, form: str, tried: Sequence[tuple[Tensor, ...]], path: Path) -> None:
    dynamic = torch.export.Dim.DYNAMIC
    batch = tried[0]
    free = tuple(dict.fromkeys(axes, dynamic) for each in plain.inputs for axes in each.free)
    names = [name for each in plain.inputs for name in each.names]
    with _quiet():
        try:
            program = torch.export.export(plain, batch, dynamic_shapes=(free,))
            if form == "onnx":
                made: Any = torch.onnx.export(
                    program, (), dynamo=True, verbose=False, input_names=names,
                    output_names=["output"],
                )  # fmt: skip
                made.save(str(path))
            else:
                torch.export.save(program, path)
        except Exception as error:  # whatever PyTorch could not record, of any of its classes
            if isinstance(error, OSError):
                raise
            raise UsageError(_refusal(plain, form, error)) from error


def _refusal(plain: PlainNetwork, form: str, error: Exception) -> str:
    """The innermost part of the network that was running, and what was wrong, in one sentence."""
    known = {id(module): name for name, module in plain.network.named_modules()}
    part, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_locals.get("self")
        if isinstance(module, nn.Module) and id(module) in known:
            part = f", part {known[id(module)] or 'forward'} ({type(module).__name__})"
        trace = trace.tb_next
    cause: BaseException = error
    while form == "onnx" and cause.__cause__ is not None:
        cause = cause.__cause__
    why = " ".join(next(iter(str(cause).strip().splitlines()), "").split())[:160]
    return (
        f"{type(plain.network).__name__}{part} cannot be exported to {form}: PyTorch says "
        f"{type(cause).__name__}{': ' + why if why else ''}; "
        f"its weights can be had with --format safetensors"
    )


def _copied(predictor: Predictor, source: Path, path: Path, check: bool) -> Exported:
    """The model folder's own files, read again."""
    if path.resolve() == source.resolve():
        raise UsageError(f"{path} is the model folder itself; name another with --out")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, path / file.name)
    if not check:
        return Exported(path, "safetensors", unchecked="--no-check")
    again = load_predictor(path, model=None if _is_ours(predictor) else predictor.model)
    mine, read = predictor.model.state_dict(), again.model.state_dict()
    worst = max(
        (differences(read[name].float(), mine[name].float())[0] for name in mine), default=0.0
    )
    return Exported(path, "safetensors", worst, worst, len(mine))


def _is_ours(predictor: Predictor) -> bool:
    return getattr(type(predictor.model), "config_type", None) is not None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch's exporters say of themselves while they work."""
    logger, level = logging.getLogger("torch"), logging.getLogger("torch").level
    others = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir")]
    levels = [each.level for each in others]
    for each in (logger, *others):
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        for each, old in zip(others, levels, strict=True):
            each.setLevel(old)
