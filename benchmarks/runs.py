"""How the benchmarks train: by `regard.train`, to the end, and what a run then tells of itself."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import regard


def finished_run(data: str | Path | None, out: Path, **settings: Any) -> regard.Run:
    """Train into a folder, or go on where a run stopped there; ends the program if it stops."""
    run = regard.train(data, out=out, **settings)
    if run.signal is not None:
        raise SystemExit(f"{out} did not finish; start again to go on")
    return run


def facts(run: regard.Run) -> dict[str, Any]:
    """How large the network is, and how long it was trained."""
    trained = run.metrics["train"]
    return {
        "parameters": sum(weight.numel() for weight in run.model.parameters()),
        "epochs": trained["epoch"],
        "train_seconds": trained["seconds"],
    }


def curve(run: regard.Run, metric: str, over: str) -> list[list[float]]:
    """A metric of every evaluation on validation data, over steps or seconds."""
    return [[line[over], line[metric]] for line in run.history if line["kind"] == "valid"]


def assignments(given: Iterable[str]) -> dict[str, Any]:
    """Settings as a command line has them, `key=value`: the value as Python has it, or as text.

    >>> assignments(["epochs=5", "pooling=mean"])
    {'epochs': 5, 'pooling': 'mean'}
    """
    return {key: _value(text) for key, _, text in (one.partition("=") for one in given)}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
