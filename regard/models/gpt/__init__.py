"""GPT-1, GPT-2 and GPT-3 (Radford et al., 2018, 2019; Brown et al., 2020)."""

from regard.models.gpt.config import (
    GptClassifierConfig,
    GptConfig,
    GptLMConfig,
    GptTaggerConfig,
    gpt1,
    gpt2_large,
    gpt2_medium,
    gpt2_small,
    gpt2_xl,
    gpt3_3b,
    gpt3_7b,
    gpt3_13b,
    gpt3_175b,
    gpt3_large,
    gpt3_medium,
    gpt3_small,
    gpt3_xl,
)
from regard.models.gpt.heads import GptClassifier, GptLM, GptTagger
from regard.models.gpt.model import Gpt

__all__ = [
    "Gpt",
    "GptClassifier",
    "GptClassifierConfig",
    "GptConfig",
    "GptLM",
    "GptLMConfig",
    "GptTagger",
    "GptTaggerConfig",
    "gpt1",
    "gpt2_large",
    "gpt2_medium",
    "gpt2_small",
    "gpt2_xl",
    "gpt3_3b",
    "gpt3_7b",
    "gpt3_13b",
    "gpt3_175b",
    "gpt3_large",
    "gpt3_medium",
    "gpt3_small",
    "gpt3_xl",
]
