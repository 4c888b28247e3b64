"""A Deep Interest Network as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from regard._files import write_whole
from regard.models.din.config import DINConfig
from regard.models.din.model import DIN
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: DIN, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists.

    The items' features are data and not part of it: give them to `load` again.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, features: Int[Tensor, "items columns"] | None = None) -> DIN:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration and features, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = DINConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = DIN(config, features)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
