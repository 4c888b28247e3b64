"""T5 (Raffel et al., 2020), version 1.0 and 1.1, and its encoder alone."""

from regard.models.t5.config import (
    Gated,
    Plain,
    T5Config,
    T5EncoderConfig,
    base,
    large,
    small,
    t5_3b,
    t5_11b,
    v1_1_base,
    v1_1_large,
    v1_1_small,
    v1_1_xl,
    v1_1_xxl,
)
from regard.models.t5.encoder import T5Encoder
from regard.models.t5.model import T5

__all__ = [
    "T5",
    "Gated",
    "Plain",
    "T5Config",
    "T5Encoder",
    "T5EncoderConfig",
    "base",
    "large",
    "small",
    "t5_3b",
    "t5_11b",
    "v1_1_base",
    "v1_1_large",
    "v1_1_small",
    "v1_1_xl",
    "v1_1_xxl",
]
