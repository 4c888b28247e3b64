"""Small Transformers of every form, and a ragged batch for them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from regard.config import checked, fields_of
from regard.models.attention import Attends
from regard.models.transformer import (
    Transformer,
    TransformerClassifier,
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLM,
    TransformerLMConfig,
)
from regard.sequences import Sequences

BEGIN, END = 2, 3
LENGTHS = (6, 1, 4, 5, 2)
BLOCKS: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12, "dropout": 0.1}
CONFIG = TransformerConfig(
    source_vocab=30, target_vocab=11, layers=2, decoder_layers=3, tied="none", **BLOCKS
)
CLASSIFIER = TransformerClassifierConfig(vocab=30, classes=4, layers=2, **BLOCKS)
LM = TransformerLMConfig(vocab=11, layers=2, tied="none", **BLOCKS)

FORMS = {CONFIG: Transformer, CLASSIFIER: TransformerClassifier, LM: TransformerLM}


def opinionated(model: Any) -> Any:
    """The model in float64, with weights large enough for it to have opinions."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    return model.double().eval()


def changed(config: Any, **changes: Any) -> Any:
    """The configuration with other values, which may be words."""
    kinds = fields_of(type(config))
    return replace(config, **{k: checked(k, value, kinds[k]) for k, value in changes.items()})


def small_model(attend: Attends = None, config: Any = CONFIG, seed: int = 0, **changes: Any) -> Any:
    """A model of the form that the configuration is of."""
    torch.manual_seed(seed)
    return opinionated(FORMS[config](changed(config, **changes), attend))


def ragged_batch(filling: int = 0) -> tuple[Sequences, Tensor]:
    """Sources padded with `filling`, and targets."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, CONFIG.source_vocab, (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    target = torch.randint(0, CONFIG.target_vocab, (len(LENGTHS), 5), generator=rng)
    return Sequences(source, lengths), target


def alone(source: Sequences, row: int) -> Sequences:
    """One row of a batch without its padding."""
    return Sequences(source.ids[row : row + 1, : LENGTHS[row]])
