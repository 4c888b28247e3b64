"""A Transformer of any form from a folder."""

from pathlib import Path

from regard._io.files import read_json
from regard.layers import Attend
from regard.models import folder as folders
from regard.models.transformer.classifier import TransformerClassifier
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLMConfig,
)
from regard.models.transformer.language_model import TransformerLM
from regard.models.transformer.model import Transformer

AnyTransformer = Transformer | TransformerClassifier | TransformerLM


def load(folder: Path, attend: Attend | None = None) -> AnyTransformer:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: _built(text, attend))


def _built(text: str, attend: Attend | None) -> AnyTransformer:
    """The model of a configuration, whichever form it is of."""
    entries = read_json(text)
    kind = entries.get("model_type") if isinstance(entries, dict) else None
    if kind == TransformerLMConfig.model_type:
        return TransformerLM(TransformerLMConfig.from_json(text), attend)
    if kind == TransformerClassifierConfig.model_type:
        return TransformerClassifier(TransformerClassifierConfig.from_json(text), attend)
    return Transformer(TransformerConfig.from_json(text), attend)
