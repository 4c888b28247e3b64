"""Small Transformers of every form, and a ragged batch for them."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from regard.layers import Attend
from regard.models.transformer import (
    Transformer,
    TransformerClassifier,
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLM,
    TransformerLMConfig,
)

BEGIN, END = 2, 3
LENGTHS = (6, 1, 4, 5, 2)
BLOCKS: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12}
CONFIG = TransformerConfig(
    source_vocab=30, target_vocab=11, encoder_layers=2, decoder_layers=3, **BLOCKS
)
CLASSIFIER = TransformerClassifierConfig(vocab=30, classes=4, layers=2, **BLOCKS)
LM = TransformerLMConfig(vocab=11, layers=2, **BLOCKS)

FORMS = {CONFIG: Transformer, CLASSIFIER: TransformerClassifier, LM: TransformerLM}


def opinionated(model: Any) -> Any:
    """The model in float64, with weights large enough for it to have opinions."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    return model.double().eval()


def changed(config: Any, **changes: Any) -> Any:
    """The configuration with other values."""
    return type(config)(**asdict(config) | changes)


def small_model(
    attend: Attend | None = None, config: Any = CONFIG, seed: int = 0, **changes: Any
) -> Any:
    """A model of the form that the configuration is of."""
    torch.manual_seed(seed)
    return opinionated(FORMS[config](changed(config, **changes), attend))


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Sources padded with `filling`, their lengths, and targets."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, CONFIG.source_vocab, (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    target = torch.randint(0, CONFIG.target_vocab, (len(LENGTHS), 5), generator=rng)
    return source, lengths, target
