"""A run folder, read with patience: whatever a crash left of it can still be looked at."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from regard._metrics import LOWER_IS_BETTER
from regard.view.counted import Confusion, confusions_in

PREFERRED = ("bleu", "exact", "ndcg", "f1", "accuracy", "chrf", "perplexity", "loss")
EVALUATIONS = ("valid", "test")
_NO_METRICS = {"kind", "step", "epoch", "seconds", "event", "text"}


@dataclass(frozen=True)
class RunLog:
    """What a run folder tells.

    Args:
        title: how to call it.
        records: lines of `metrics.jsonl` in their order; a number that is not finite is None.
        samples: lines of `samples.jsonl`, one for each look at the fixed examples.
        config: the text of `config.toml`.
        environment: the object in `environment.json`.
        digest: SHA-256 of the best model's weights, where its manifest names one.
        confusion: of the latest evaluation on each split, where the task has labels.
        damaged: number of lines that could not be read, such as one cut off by a crash.
    """

    title: str
    records: tuple[dict[str, Any], ...] = ()
    samples: tuple[dict[str, Any], ...] = ()
    config: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None
    damaged: int = 0
    confusion: Mapping[str, Confusion] = field(default_factory=dict)

    def points(self, kind: str, name: str) -> list[tuple[float, float | None]]:
        """The curve of a metric over the steps; None where it was not finite.

        >>> RunLog("r", ({"kind": "train", "step": 1, "loss": 2.5},)).points("train", "loss")
        [(1.0, 2.5)]
        """
        return [
            (float(record["step"]), as_number(record[name]))
            for record in self.records
            if record["kind"] == kind and name in record
        ]

    def metrics(self, *kinds: str) -> list[str]:
        """The names of what was measured in records of these kinds, in the order they came."""
        names = (n for r in self.records if r["kind"] in kinds for n in r if n not in _NO_METRICS)
        return list(dict.fromkeys(names))

    def best(self, kind: str, name: str) -> tuple[float, float] | None:
        """The (step, value) at which a metric was best, the earliest of several."""
        known = [(step, value) for step, value in self.points(kind, name) if value is not None]
        sign = 1.0 if name in LOWER_IS_BETTER else -1.0
        return min(known, key=lambda point: sign * point[1], default=None)

    def main_metric(self) -> str:
        """The metric that tells most about the run, as far as it was measured."""
        kind = next((kind for kind in ("valid", "test", "train") if self.metrics(kind)), "train")
        known = (name for name in PREFERRED if self.best(kind, name) is not None)
        return next(known, "loss")

    def settings(self) -> dict[str, Any]:
        """The configuration as `table.key` → value; empty where it cannot be read."""
        try:
            return _flat(tomllib.loads(self.config, parse_float=_finite_or_text))
        except tomllib.TOMLDecodeError:
            return {}

    def fact(self, name: str) -> Any:
        """What the configuration or else the environment says about a name, or None."""
        known = dict(self.environment) | self.settings()
        keys = [name, f"{name}.name", *(key for key in known if key.endswith(f".{name}"))]
        return next((known[key] for key in keys if key in known), None)

    def status(self) -> str:
        """`finished`, `interrupted`, or `unfinished`: still running, or ended by a crash."""
        events = [record.get("event") for record in self.records if record["kind"] == "event"]
        last = next((e for e in reversed(events) if e in ("started", "resumed", *_ENDS)), None)
        return last if last in _ENDS else "unfinished"

    @property
    def steps(self) -> int:
        """The last step that is known."""
        return max((int(record["step"]) for record in self.records), default=0)

    @property
    def seconds(self) -> float:
        """The wall time of the run."""
        return max(
            (as_number(record.get("seconds")) or 0.0 for record in self.records), default=0.0
        )


_ENDS = ("finished", "interrupted")


def read_run(folder: Path) -> RunLog:
    """Read a run folder; only `metrics.jsonl` must be there, and a damaged line is left out.

    Where a resumed run did some steps again, the later account of them counts.

    Raises `FileNotFoundError` when the folder is no run.
    """
    if not (folder / "metrics.jsonl").is_file():
        what = "has no metrics.jsonl" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(f"{folder} is not the folder of a run: it {what}")
    lines, damaged = _read_lines(folder / "metrics.jsonl")
    looks, cut = _read_lines(folder / "samples.jsonl")
    records = [line for line in lines if isinstance(line.get("kind"), str) and _has_step(line)]
    samples = [look for look in looks if isinstance(look.get("samples"), list) and _has_step(look)]
    environment = _read_object(folder / "environment.json")
    return RunLog(
        title=folder.resolve().name,
        records=tuple(_without_repeats(records)),
        samples=tuple(_without_repeats(samples)),
        config=_read_text(folder / "config.toml"),
        environment=environment,
        digest=_digest(_read_object(folder / "best" / "manifest.json")),
        confusion=confusions_in(_read_object(folder / "confusion.json")),
        damaged=damaged + cut + len(lines) - len(records) + len(looks) - len(samples),
    )


def _without_repeats(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop what a crash made the run do again; events all happened and all stay."""
    kept: list[dict[str, Any]] = []
    since: dict[str, float] = {}
    for record in reversed(records):
        kind = record.get("kind", "look")
        if kind == "event" or record["step"] < since.get(kind, float("inf")):
            since[kind] = record["step"]
            kept.append(record)
    return kept[::-1]


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a JSONL file, and the number of lines that are none."""
    found = [_read(line) for line in _read_text(path).split("\n") if line.strip()]
    objects = [line for line in found if isinstance(line, dict)]
    return objects, len(found) - len(objects)


def _read_object(path: Path) -> dict[str, Any]:
    found = _read(_read_text(path))
    return found if isinstance(found, dict) else {}


def _read_text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def _read(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    return value if isfinite(value := float(text)) else None


def _finite_or_text(text: str) -> float | str:
    return value if isfinite(value := float(text)) else text


def _has_step(record: dict[str, Any]) -> bool:
    step = as_number(record.get("step"))
    return step is not None and 0 <= step < 1e15


def as_number(value: object) -> float | None:
    """A value as a number, or None where it is none that can be drawn.

    >>> as_number(3), as_number("3"), as_number(True), as_number(10**400)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not a number is not below anything either, and whole numbers in JSON have no bound.
    return float(value) if abs(value) < 1e300 else None


def _digest(manifest: dict[str, Any]) -> str | None:
    files = manifest.get("files")
    weights = files.get("model.safetensors") if isinstance(files, dict) else None
    digest = weights.get("sha256") if isinstance(weights, dict) else None
    return digest if isinstance(digest, str) else None


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat
