"""A model as a folder: `config.json`, with sizes and parts, and `model.safetensors`."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard._io.files import read_json_file, write_whole
from regard._nearest import nearest
from regard._printable import MOST_SHOWN, shown
from regard.config import Config, to_json
from regard.layers.dynamic_int8 import DynamicInt8Linear
from regard.models import MODELS, model_class
from regard.models.attention import Attends
from regard.models.older import RENAMED, saved_beside, upgraded
from regard.models.published import (
    is_published,
    load_published,
    read_entries,
    save_published,
    says_all,
)
from regard.models.stored_tensors import remove_shards
from regard.models.weights import Undrawn, at_most, count_weights, read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 2
"""Format version of `config.json`; 1 had no parts."""


def save(model: Any, path: str | Path) -> None:
    """Write a network of `regard.models` as a folder: `config.json` and `model.safetensors`.

    A network of a published family is written in the Hugging Face format, as long as that can
    express its options and parts; anything else in the format of this library.

    The configuration also names the parts of the attention. A part of your own without a name is
    marked as such: it has to be passed again when the network is loaded.

    Shards of weights that were in the folder before are removed.

    Raises `TypeError` for a network without a configuration of this library, `ValueError` for an
    8-bit one, `NotADirectoryError` for a file in the place of the folder.

    >>> import tempfile, regard
    >>> from regard.models.lstm import LSTMClassifier, LSTMConfig
    >>> model = LSTMClassifier(LSTMConfig(vocab=9, classes=2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     regard.save(model, folder)
    ...     regard.load(folder).config == model.config
    True
    """
    if not isinstance(getattr(model, "config", None), Config):
        raise TypeError(
            f"{type(model).__name__} has no configuration of this library; save its state_dict"
        )
    if any(isinstance(part, DynamicInt8Linear) for part in model.modules()):
        raise ValueError("a network in eight bits is not saved; save the one it was made of")
    folder = Path(path)
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file; give a folder to save to")
    folder.mkdir(parents=True, exist_ok=True)
    if says_all(model):
        save_published(model, folder)
    else:
        save_own(model, folder)
    remove_shards(folder)


def save_own(model: Any, folder: Path) -> None:
    """Write a network in the format of this library, which can express all of it."""
    write_weights(model, folder / WEIGHTS)
    write_config(model, folder)


def write_config(model: Any, folder: Path) -> None:
    """Write `config.json` alone."""
    write_whole(folder / CONFIG, to_json(model.config, format=FORMAT).encode())


def load_network(folder: Path, attend: Attends = None) -> nn.Module:
    """Load the model in a folder as it was saved, including its parts, in eval mode.

    Args:
        attend: the parts, if they are the user's own; otherwise they replace those saved.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights do not
    match the configuration, and `ValueError` when a file is damaged or foreign, or when a part has
    to be given.
    """
    path = folder / CONFIG
    if is_published(read_entries(folder)):
        return load_published(folder, attend)
    kind, config = read_config(folder)
    # Sizes that the weights do not have cost neither memory nor time.
    most = 4 * count_weights(folder / WEIGHTS) + 100
    try:
        with torch.device("meta"), Undrawn(), at_most(most):
            model = kind(config) if attend is None else kind(config, attend=attend)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        hint = ": give load(path, attend=...)" if "has to be given again" in str(error) else ""
        raise ValueError(f"{path}: {error}{hint}") from None
    read_weights(model, folder / WEIGHTS, RENAMED.get(config.tag, {}), saved_beside(folder))
    return model.eval()


def read_config(folder: Path) -> tuple[Any, Any]:
    """A model's class and its configuration; raises `ValueError` for an unknown one."""
    path = folder / CONFIG
    entries = read_json_file(path)
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: it is not a configuration, but {shown(entries)}")
    try:
        if entries.pop("format", None) != FORMAT:
            entries = upgraded(entries, folder)
        name = entries.pop("model_type", None)
        if not isinstance(name, str) or name not in MODELS:
            hint = nearest(str(name)[:MOST_SHOWN], MODELS)
            raise ValueError(f"its model_type is {shown(name)}, which is not known; {hint}")
        kind = model_class(name)
        return kind, kind.config_type.from_entries(entries)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
