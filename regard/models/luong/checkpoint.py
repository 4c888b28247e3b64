"""Luong's network as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import write_whole
from regard._typing import Normalizer
from regard.models.luong.config import LuongConfig
from regard.models.luong.model import Luong
from regard.models.weights import read_weights, write_weights
from regard.normalizers import softmax

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: Luong, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists.

    The normalizer is an object and not part of the configuration: give `load` the same one if it is
    not the published one.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, normalizer: Normalizer = softmax) -> Luong:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = LuongConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = Luong(config, normalizer)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
