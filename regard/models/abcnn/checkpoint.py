"""An ABCNN as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import write_whole
from regard.models.abcnn.config import ABCNNConfig
from regard.models.abcnn.model import ABCNN
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: ABCNN, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists."""
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path) -> ABCNN:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = ABCNNConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = ABCNN(config)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
