"""Predictors, put together from the folders that training left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard._io.files import read_json
from regard.cli.kinds import KINDS
from regard.cli.networks import NETWORKS
from regard.tasks.exchange import CONFIG, TASK, read_about
from regard.tasks.task import Predictor


def load_predictor(folder: Path) -> Predictor:
    """A trained model and what it needs, from the exchange layout.

    Raises `FileNotFoundError` when something is missing, `ValueError` (`CheckpointMismatch` among
    them) when it is damaged or does not belong together.
    """
    known = read_about(folder)
    kind = KINDS.get(known["task"])
    if kind is None:
        raise ValueError(
            f"{folder} was trained for {known['task']!r}, which this version does not know"
        )
    parts, model = load_model(folder, known)
    try:
        return kind.load(folder, known, parts, model)
    except KeyError as error:
        raise ValueError(
            f"{folder / TASK} lacks {error}; copy the whole run folder again"
        ) from None


def load_model(folder: Path, known: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The names of a network's parts among what is known of it, and the network alone."""
    entries = read_json((folder / CONFIG).read_text("utf-8"))
    kind = entries.get("model_type") if isinstance(entries, dict) else None
    for name, network in NETWORKS.items():
        # `transformer_lm` is a form of `transformer`.
        if kind == name or str(kind).startswith(f"{name}_"):
            parts = {part: known[part] for part in network.settings.parts if part in known}
            return parts, network.load(folder, parts)
    raise ValueError(f"{folder / CONFIG} is the configuration of {kind!r}, which is not known")
