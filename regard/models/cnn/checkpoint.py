"""A convolutional classifier as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import write_whole
from regard.layers import Attend
from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNN
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: CNN, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists.

    The parts of the attention are objects and not part of the configuration: give `load` the same
    ones if they are not the usual ones.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, attend: Attend | None = None) -> CNN:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = CNNConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = CNN(config, attend)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
