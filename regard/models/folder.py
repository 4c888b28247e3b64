"""A network as a folder: `config.json` and `model.safetensors`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from regard._io.files import write_whole
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"

Model = TypeVar("Model", bound=nn.Module)


def save(model: Any, folder: Path) -> None:
    """Write the configuration and weights of a model into a folder that exists.

    Scores, normalizers and whatever else is an object are not part of it: give `load` the same ones
    where they are not the usual ones.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, build: Callable[[str], Model]) -> Model:
    """Read what `save` wrote, ready for evaluation; `build` makes a model of its configuration.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    text = path.read_text("utf-8")
    try:
        with torch.device("meta"):
            model = build(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    read_weights(model, folder / WEIGHTS)
    return model.eval()
