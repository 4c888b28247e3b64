"""A memory network as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import write_whole
from regard._typing import Normalizer, Score
from regard.models.memory.config import MemoryConfig
from regard.models.memory.model import MemoryNetwork
from regard.models.weights import read_weights, write_weights
from regard.normalizers import softmax

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: MemoryNetwork, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists.

    The score and the normalizer are objects and not part of the configuration: give `load` the
    same ones if they are not the published ones.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(
    folder: Path, score: Score | None = None, normalizer: Normalizer = softmax
) -> MemoryNetwork:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = MemoryConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = MemoryNetwork(config, score, normalizer)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
