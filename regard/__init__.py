"""regard: every attention mechanism behind one operator, fast, with its weights available.

Attention is three steps — score, normalize, weighted sum — and every mechanism is a choice for one
of them. `attention` takes the choices as objects, `attention_weights` returns their weights, `plan`
says which kernel runs. The parts are in `regard.scores`, `regard.score_mods`, `regard.masks`,
`regard.normalizers` and `regard.positions`, layers with weights around them in `regard.layers`.

`train` turns a data file into a trained network, a `Run` predicts, evaluates and resumes; `load`
and `save` are for the network alone. `insert` puts a vision block into any network, `remove` takes
it out. `regard.explain` analyzes a network by its weights.

Nothing is imported until it is used, so that the command line can start without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regard import explain, layers, masks, normalizers, positions, score_mods, scores, vision
    from regard._attention import attention, attention_weights, plan
    from regard._partial import Partial, attention_partial, merge
    from regard.benching.bench import bench
    from regard.capturing.capture import capture
    from regard.context.parallel import context_parallel
    from regard.errors import CheckpointMismatch, RegardError, UnsupportedByBackend, UsageError
    from regard.models.checkpoint import save
    from regard.run.loading import load
    from regard.run.run import Run, train
    from regard.vision.insertion import insert, remove

__version__ = "0.1.0"

__all__ = [
    "CheckpointMismatch",
    "Partial",
    "RegardError",
    "Run",
    "UnsupportedByBackend",
    "UsageError",
    "attention",
    "attention_partial",
    "attention_weights",
    "bench",
    "capture",
    "context_parallel",
    "explain",
    "insert",
    "layers",
    "load",
    "masks",
    "merge",
    "normalizers",
    "plan",
    "positions",
    "remove",
    "save",
    "score_mods",
    "scores",
    "train",
    "vision",
]

_FOLDERS = {
    "explain",
    "layers",
    "masks",
    "normalizers",
    "positions",
    "score_mods",
    "scores",
    "vision",
}
_HOMES = {
    "attention": "regard._attention",
    "attention_weights": "regard._attention",
    "plan": "regard._attention",
    "Partial": "regard._partial",
    "attention_partial": "regard._partial",
    "merge": "regard._partial",
    "bench": "regard.benching.bench",
    "capture": "regard.capturing.capture",
    "context_parallel": "regard.context.parallel",
    "CheckpointMismatch": "regard.errors",
    "RegardError": "regard.errors",
    "UnsupportedByBackend": "regard.errors",
    "UsageError": "regard.errors",
    "insert": "regard.vision.insertion",
    "remove": "regard.vision.insertion",
    "Run": "regard.run.run",
    "load": "regard.run.loading",
    "save": "regard.models.checkpoint",
    "train": "regard.run.run",
}


def __getattr__(name: str) -> object:
    if name in _FOLDERS:
        found: object = import_module(f"regard.{name}")
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'regard' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
