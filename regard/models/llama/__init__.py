"""LLaMA (Touvron et al., 2023), and the many that are built like it."""

from regard.models.llama.config import (
    Llama3,
    LlamaConfig,
    LlamaLMConfig,
    YaRN,
    llama_7b,
    llama_13b,
    llama_33b,
    llama_65b,
    smollm2_1_7b,
    smollm2_135m,
    smollm2_360m,
)
from regard.models.llama.language_model import LlamaLM
from regard.models.llama.model import Llama

__all__ = [
    "Llama",
    "Llama3",
    "LlamaConfig",
    "LlamaLM",
    "LlamaLMConfig",
    "YaRN",
    "llama_7b",
    "llama_13b",
    "llama_33b",
    "llama_65b",
    "smollm2_1_7b",
    "smollm2_135m",
    "smollm2_360m",
]
