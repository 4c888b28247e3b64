"""A Transformer of any form as a folder: `config.json` and `model.safetensors`."""

from pathlib import Path

import torch

from regard._files import read_json, write_whole
from regard.layers import Attend
from regard.models.transformer.classifier import TransformerClassifier
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLMConfig,
)
from regard.models.transformer.language_model import TransformerLM
from regard.models.transformer.model import Transformer
from regard.models.weights import read_weights, write_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"

AnyTransformer = Transformer | TransformerClassifier | TransformerLM


def save(model: AnyTransformer, folder: Path) -> None:
    """Write the configuration and weights of a model into a folder that exists.

    Score, normalizer and masks are objects and not part of the configuration: give `load` the same
    `attend` if it is not the published one.
    """
    write_weights(model, folder / WEIGHTS)
    write_whole(folder / CONFIG, model.config.to_json().encode())


def load(folder: Path, attend: Attend | None = None) -> AnyTransformer:
    """Read what `save` wrote, ready for evaluation.

    Raises `FileNotFoundError` when a file is missing, `CheckpointMismatch` when the weights are not
    those of the configuration, and `ValueError` when a file is damaged or foreign.
    """
    path = folder / CONFIG
    try:
        model = _built(path.read_text("utf-8"), attend)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    read_weights(model, folder / WEIGHTS)
    return model.eval()


def _built(text: str, attend: Attend | None) -> AnyTransformer:
    """The model of a configuration, without numbers."""
    entries = read_json(text)
    kind = entries.get("model_type") if isinstance(entries, dict) else None
    with torch.device("meta"):
        if kind == TransformerLMConfig.model_type:
            return TransformerLM(TransformerLMConfig.from_json(text), attend)
        if kind == TransformerClassifierConfig.model_type:
            config = TransformerClassifierConfig.from_json(text)
            return TransformerClassifier(config, attend)
        return Transformer(TransformerConfig.from_json(text), attend)
