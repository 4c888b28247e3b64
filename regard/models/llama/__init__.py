"""LLaMA (Touvron et al., 2023) and models with the same architecture."""

from regard.models.llama.config import (
    Llama3,
    LlamaClassifierConfig,
    LlamaConfig,
    LlamaLMConfig,
    LlamaSpansConfig,
    LlamaTaggerConfig,
    YaRN,
    llama_7b,
    llama_13b,
    llama_33b,
    llama_65b,
    smollm2_1_7b,
    smollm2_135m,
    smollm2_360m,
)
from regard.models.llama.heads import LlamaClassifier, LlamaLM, LlamaSpans, LlamaTagger
from regard.models.llama.model import Llama

__all__ = [
    "Llama",
    "Llama3",
    "LlamaClassifier",
    "LlamaClassifierConfig",
    "LlamaConfig",
    "LlamaLM",
    "LlamaLMConfig",
    "LlamaSpans",
    "LlamaSpansConfig",
    "LlamaTagger",
    "LlamaTaggerConfig",
    "YaRN",
    "llama_7b",
    "llama_13b",
    "llama_33b",
    "llama_65b",
    "smollm2_1_7b",
    "smollm2_135m",
    "smollm2_360m",
]
