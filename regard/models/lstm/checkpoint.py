"""A recurrent classifier as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import write_whole
from regard.layers import Attend
from regard.models.lstm.config import LSTMConfig
from regard.models.lstm.model import LSTM
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: LSTM, folder: Path) -> None:
    """Write the sizes and weights of a model into a folder that exists.

    The parts of the attention are objects and not part of the configuration: give `load` the same
    ones if they are not the usual ones.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, attend: Attend | None = None) -> LSTM:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        config = LSTMConfig.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    with torch.device("meta"):
        model = LSTM(config, attend)
    read_weights(model, folder / WEIGHTS)
    return model.eval()
